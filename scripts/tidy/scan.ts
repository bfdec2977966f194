// Separates code from comments and strings, so that a rule never fires on a word in a sentence.
//
// Not a parser: one pass over the characters. `code` has the length of the text and its line feeds,
// so an offset into one is an offset into the other. Comments, the inside of strings, of regular
// expressions and the literal part of templates are blanks; quotes, `${` and its `}` stay, and so
// does the code between them. Control plane: a developer's tool.

/** A comment, or a run of `//` comments on lines of their own, one directly below the other. */
export type Comment = {
  readonly start: number;
  readonly end: number;
  /** True exactly when no code stands before it on its first line. */
  readonly ownLine: boolean;
};

export type Scan = {
  readonly text: string;
  readonly code: string;
  readonly comments: readonly Comment[];
  /** The 1-based line of an offset. */
  readonly lineAt: (offset: number) => number;
};

// A slash after one of these begins a regular expression; after anything else it divides.
const REGEXP_AFTER = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|void|delete))$/;

const REGEXP_BODY = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
const STRING_BODY = /'(?:\\[\s\S]|[^'\\\n])*'?|"(?:\\[\s\S]|[^"\\\n])*"?/y;

export function scan(text: string): Scan {
  const scanner = new Scanner(text);
  scanner.run();
  return {
    text,
    code: scanner.code(),
    comments: joinRuns(text, scanner.comments),
    lineAt: lineCounter(text),
  };
}

class Scanner {
  readonly comments: Comment[] = [];
  readonly #text: string;
  readonly #pieces: string[] = [];
  // For each template that is open, how many braces are open in its current substitution.
  readonly #braces: number[] = [];
  #at = 0;
  // The end of the code so far on this stretch, enough to tell a division from an expression.
  #tail = '';

  constructor(text: string) {
    this.#text = text;
  }

  code(): string {
    return this.#pieces.join('');
  }

  run(): void {
    if (this.#text.startsWith('#!')) this.#blank(lineEnd(this.#text, 0));
    while (this.#at < this.#text.length) this.#step();
  }

  #step(): void {
    const text = this.#text;
    const char = text[this.#at]!;
    if (char === '/' && text[this.#at + 1] === '/') this.#comment(lineEnd(text, this.#at));
    else if (char === '/' && text[this.#at + 1] === '*') this.#comment(this.#blockEnd());
    else if (char === '/' && REGEXP_AFTER.test(this.#tail)) this.#quoted(REGEXP_BODY);
    else if (char === "'" || char === '"') this.#quoted(STRING_BODY);
    else if (char === '`') this.#template();
    else this.#plain(char);
  }

  #plain(char: string): void {
    const depth = this.#braces.length - 1;
    if (depth >= 0 && char === '{') this.#braces[depth]!++;
    if (depth >= 0 && char === '}' && this.#braces[depth]!-- === 0) {
      this.#braces.pop();
      this.#keep(1);
      this.#templateText();
      return;
    }
    this.#keep(1);
  }

  #template(): void {
    this.#keep(1);
    this.#templateText();
  }

  // From inside a template up to its end, or up to the code of its next substitution.
  #templateText(): void {
    const text = this.#text;
    let end = this.#at;
    while (end < text.length && text[end] !== '`' && !text.startsWith('${', end)) {
      end += text[end] === '\\' ? 2 : 1;
    }
    this.#blank(Math.min(end, text.length));
    if (text[end] === '`') this.#keep(1);
    if (text[end] !== '$') return;
    this.#keep(2);
    this.#braces.push(0);
  }

  #quoted(body: RegExp): void {
    body.lastIndex = this.#at;
    const found = body.exec(this.#text);
    this.#keep(1);
    if (found === null) return;
    const end = this.#at - 1 + found[0].length;
    if (end - 1 > this.#at) this.#blank(end - 1);
    if (end > this.#at) this.#keep(1);
    // A value stands here, so a slash that follows divides.
    this.#tail = '"';
  }

  #comment(end: number): void {
    const start = this.#at;
    const lineStart = this.#text.lastIndexOf('\n', start - 1) + 1;
    const ownLine = this.#text.slice(lineStart, start).trim() === '';
    this.comments.push({ start, end, ownLine });
    this.#blank(end);
  }

  #blockEnd(): number {
    const close = this.#text.indexOf('*/', this.#at + 2);
    return close === -1 ? this.#text.length : close + 2;
  }

  #blank(end: number): void {
    this.#pieces.push(this.#text.slice(this.#at, end).replace(/[^\n]/g, ' '));
    this.#at = end;
  }

  #keep(count: number): void {
    const piece = this.#text.slice(this.#at, this.#at + count);
    this.#pieces.push(piece);
    this.#at += count;
    // White space counts only between two words: `in x` is not `inx`.
    if (piece.trim() !== '') this.#tail = (this.#tail + piece).slice(-12);
    else if (/\w$/.test(this.#tail) && !REGEXP_AFTER.test(this.#tail)) this.#tail = '"';
  }
}

function joinRuns(text: string, comments: readonly Comment[]): Comment[] {
  const runs: Comment[] = [];
  for (const comment of comments) {
    const last = runs.at(-1);
    const joins =
      last?.ownLine &&
      text.startsWith('//', last.start) &&
      text.startsWith('//', comment.start) &&
      /^\n[ \t]*$/.test(text.slice(last.end, comment.start));
    if (joins) runs[runs.length - 1] = { start: last.start, end: comment.end, ownLine: true };
    else runs.push(comment);
  }
  return runs;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}

/** The words of a comment: no slashes, no stars, line breaks as single blanks. */
export function words(scanned: Scan, comment: Comment): string {
  return scanned.text
    .slice(comment.start, comment.end)
    .replace(/^\s*(?:\/\/+|\/\*+|\*+\/|\*)|\*+\/$/gm, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
