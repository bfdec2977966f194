// Garbage collections and allocated bytes of a server, read from the lines that V8 prints with
// `--trace-gc`, one per collection, flushed at once:
//
//     [pid:isolate]   1212 ms: Scavenge 16.5 (19.2) -> 12.8 (19.2) MB, pooled: ...
//
// Every thread has its own isolate. What an isolate allocated between two collections is the size
// before the later one minus the size after the earlier one. What comes after the last collection
// of a measurement is not seen; what came before its first one is counted whole. So the sum is off
// by at most one young generation per isolate. V8 rounds to 0.1 MB; memory outside the heap
// (Buffers) does not count.

export type Collection = {
  readonly isolate: string;
  readonly major: boolean;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
};

export type GcCounts = { young: number; major: number; allocatedBytes: number };

const LINE = /^\[\d+:(0x[0-9a-f]+)\]\s+\d+ ms: (.+?) ([\d.]+) \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB/;
const BYTES_PER_MB = 1024 * 1024;

/** Undefined for any other line of a server's output. */
export function parseGcLine(line: string): Collection | undefined {
  const fields = LINE.exec(line);
  if (fields === null) return undefined;
  const kind = fields[2]!;
  // The kinds carry additions: "Incremental Mark-Compact", "Scavenge (during sweeping)".
  const major = kind.includes('Mark-Compact');
  if (!major && !kind.includes('Scavenge') && !kind.includes('Minor')) return undefined;
  return {
    isolate: fields[1]!,
    major,
    bytesBefore: Number(fields[3]) * BYTES_PER_MB,
    bytesAfter: Number(fields[4]) * BYTES_PER_MB,
  };
}

/** Adds up the collections of one process; reads from its start, to know every heap's size. */
export class GcTrace {
  readonly #bytesAfter = new Map<string, number>();
  #counts: GcCounts = { young: 0, major: 0, allocatedBytes: 0 };

  get counts(): Readonly<GcCounts> {
    return this.#counts;
  }

  add(line: string): void {
    const collection = parseGcLine(line);
    if (collection === undefined) return;
    if (collection.major) this.#counts.major++;
    else this.#counts.young++;
    // The first collection of an isolate has nothing to subtract from: its heap came with it.
    const earlier = this.#bytesAfter.get(collection.isolate) ?? collection.bytesBefore;
    this.#counts.allocatedBytes += Math.max(0, collection.bytesBefore - earlier);
    this.#bytesAfter.set(collection.isolate, collection.bytesAfter);
  }

  /** Counts from zero; the heap sizes stay known. */
  restart(): void {
    this.#counts = { young: 0, major: 0, allocatedBytes: 0 };
  }
}
