import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import {
  BIG,
  errorText,
  FakeDelegation,
  get,
  OK,
  okText,
  response,
} from '../../test/support/unit-connection-bench.ts';
import { FakeIo } from '../../test/support/unit-fake-io.ts';
import type { Handler } from '../app/app.ts';
import { delegate } from '../app/app.ts';
import { compileApp } from '../app/compiled-app.ts';
import type { Request } from '../app/request.ts';
import type { Response } from '../app/response.ts';
import { COUNTERS, Counter } from '../base/counters.ts';
import { DateField } from '../http/date-field.ts';
import { REQUEST_LIMITS } from '../http/request-limits.ts';
import { RequestParser } from '../http/request-parser.ts';
import { ResponseWriter } from '../http/response-writer.ts';
import { SEND } from '../io/token.ts';
import { BlockPool } from '../memory/block-pool.ts';
import {
  CLOSE_AFTER_SEND,
  CONNECTION_CTX_SIZE,
  ConnectionTable,
  DELEGATED,
  HEAD_REQUEST,
  LINGER_AFTER_SEND,
  OPEN,
  SUSPENDED,
} from './connection-table.ts';
import { BODY_SIZE_MAX, HttpExchange, RESPONSE_SIZE_MAX } from './http-exchange.ts';
import { SendSide } from './send-side.ts';

const INPUT_SIZE = 65_536;
const BLOCK_SIZE = 2 * RESPONSE_SIZE_MAX;
const CLOSE = 'Connection: close';
const KEEP_ALIVE = 'Connection: keep-alive';
const end: Handler = (_request, response) => response.end();

class Fixture {
  readonly counters = new Float64Array(COUNTERS);
  readonly io: FakeIo;
  readonly table = new ConnectionTable(new SharedArrayBuffer(2 * CONNECTION_CTX_SIZE), 2);
  readonly blocks: BlockPool;
  readonly sendSide: SendSide;
  readonly delegation: FakeDelegation;
  readonly exchange: HttpExchange;
  readonly slot: number;
  readonly logged: string[] = [];
  userCodeRuns = 0;

  constructor(handlers: Record<string, Handler> = {}, sendBlocks = 1) {
    this.io = new FakeIo(1, INPUT_SIZE, 2 * BLOCK_SIZE);
    const { bytes, blocksOffset } = this.io.memory;
    this.blocks = new BlockPool('send blocks', bytes, blocksOffset, sendBlocks, BLOCK_SIZE);
    this.sendSide = new SendSide(this.io, this.table, this.blocks, this.counters);
    this.delegation = new FakeDelegation(bytes);
    this.exchange = new HttpExchange({
      app: compileApp({
        routes: {
          'GET /fast': end,
          'POST /fast': end,
          'GET /big': (_request, response) => response.end(BIG),
          'PUT /slow': delegate('slow'),
          'GET /slow': delegate('other'),
          ...handlers,
        },
        tasks: { other: () => {}, slow: () => {} },
      }),
      bytes,
      table: this.table,
      sendSide: this.sendSide,
      parser: new RequestParser(REQUEST_LIMITS),
      writer: new ResponseWriter(bytes, new DateField()),
      counters: this.counters,
      delegation: this.delegation,
      onUserCode: () => {
        this.userCodeRuns++;
      },
      log: (message, error) =>
        this.logged.push(error === undefined ? message : `${message}: ${error}`),
    });
    this.slot = this.table.acquire();
    this.table.setState(this.slot, OPEN);
  }

  /** Serves the bytes of `text`, and answers what of it was not served. */
  serve(text: string): string {
    this.exchange.parser.begin();
    this.io.memory.bytes.set(Buffer.from(text, 'latin1'));
    return text.slice(this.exchange.serve(this.slot, 0, text.length));
  }

  /** Everything that was written and not sent yet, which is sent. */
  written(): string {
    this.sendSide.flush();
    const send = this.io.find(SEND, this.slot);
    if (send === undefined) return '';
    this.io.complete(send, send.bytes.length);
    this.sendSide.onSend(this.slot, send.bytes.length);
    return send.bytes.toString('utf8');
  }

  /** Serves all of `text`, and answers the responses. */
  answer(text: string): string {
    equal(this.serve(text), '');
    return this.written();
  }

  taskDone(status: number, body = ''): string {
    const bytes = Buffer.from(`...${body}...`);
    const size = Buffer.byteLength(body);
    equal(this.exchange.onTaskDone(this.slot, status, bytes, 3, size), true);
    return this.written();
  }

  has(flag: number): boolean {
    return this.table.has(this.slot, flag);
  }

  count(name: keyof typeof Counter): number {
    return this.counters[Counter[name]]!;
  }
}

test('a route that ends at once is answered with 200 and no body', () => {
  const fixture = new Fixture();
  equal(fixture.answer(get('/fast')), OK);
  equal(fixture.answer(get('/fast?with=query')), OK);
  equal(fixture.has(CLOSE_AFTER_SEND), false);
  equal(fixture.count('requests'), 2);
  equal(fixture.count('responses2xx'), 2);
  equal(fixture.table.requests(fixture.slot), 2);
  equal(fixture.userCodeRuns, 2);
});

test('requests that arrive together are answered together, in their order', () => {
  const fixture = new Fixture({ 'GET /echo': (request, response) => response.end(request.target) });
  const text = get('/echo?1') + get('/fast') + get('/echo?22') + get('/none');
  const expected = okText('/echo?1') + OK + okText('/echo?22') + errorText('404 Not Found');
  equal(fixture.answer(text), expected);
  equal(fixture.count('requests'), 4);
});

test('requests that repeat the one before them are answered each, others as what they are', () => {
  const fixture = new Fixture({
    'GET /echo': (request, response) => response.end(`${request.method} ${request.target}`),
  });
  const echo = ['/echo?1', '/echo?1', '/echo?1', '/echo?2', '/echo?2'];
  equal(
    fixture.answer(echo.map((target) => get(target)).join('')),
    echo.map((target) => okText(`GET ${target}`)).join(''),
  );
  equal(fixture.count('requests'), 5);
  // Of the same size, and different in the last byte of the head only.
  equal(
    fixture.answer(`${get('/fast')}${get('/fast').slice(0, -1)}x`),
    OK + errorText('400 Bad Request', ['Connection: close']),
  );
});

test('a request that repeats the one before it waits as any other', () => {
  const fixture = new Fixture();
  const text = get('/slow', 'PUT');
  equal(fixture.serve(text + text), text);
  equal(fixture.delegation.running.length, 1);
  equal(fixture.taskDone(200), OK);
  equal(fixture.serve(text), '');
  equal(fixture.delegation.running.length, 2);
});

test('an incomplete request is left, and waits for its rest', () => {
  const fixture = new Fixture();
  const text = get('/fast');
  equal(fixture.serve(text + text.slice(0, 12)), text.slice(0, 12));
  equal(fixture.written(), OK);
  equal(fixture.count('requests'), 1);
  equal(fixture.has(SUSPENDED | CLOSE_AFTER_SEND), false);
});

test('a handler sees method, target and path; its body is text or bytes', () => {
  const seen: string[] = [];
  const fixture = new Fixture({
    'GET /text': ({ method, target, path }, response) => {
      seen.push(method, target, path);
      response.end('grün');
    },
    'POST /bytes': (request, response) => {
      seen.push(request.method);
      response.end(Uint8Array.of(1, 2, 255), 201);
    },
  });
  const type = 'Content-Type: text/plain; charset=utf-8';
  equal(fixture.answer(get('/text?a=b')), response('200 OK', [type, 'Content-Length: 5'], 'grün'));
  fixture.serve(get('/bytes', 'POST'));
  fixture.sendSide.flush();
  const sent = fixture.io.find(SEND, fixture.slot)!.bytes.toString('latin1');
  const octets = ['Content-Type: application/octet-stream', 'Content-Length: 3'];
  equal(sent, response('201 Created', octets, '\x01\x02\xff'));
  deepEqual(seen, ['GET', '/text?a=b', '/text', 'POST']);
});

test('404 for a path without a route', () => {
  const fixture = new Fixture();
  equal(fixture.answer(get('/none')), errorText('404 Not Found'));
  equal(fixture.answer(get('/fast/')), errorText('404 Not Found'));
  equal(fixture.count('responses4xx'), 2);
  equal(fixture.has(CLOSE_AFTER_SEND), false);
});

test('405 tells the methods of the path in Allow, of each path its own', () => {
  const fixture = new Fixture();
  const expect = (allow: string): string =>
    errorText('405 Method Not Allowed', [], [`Allow: ${allow}`]);
  equal(fixture.answer(get('/fast', 'DELETE')), expect('GET, HEAD, POST'));
  equal(fixture.answer(get('/slow', 'BREW')), expect('GET, HEAD, PUT'));
  equal(fixture.answer(get('/fast', 'OPTIONS')), expect('GET, HEAD, POST'));
  equal(fixture.count('responses4xx'), 3);
});

test('HEAD is answered as GET is, without the body', () => {
  const fixture = new Fixture({
    'GET /text': (request, response) => response.end(request.method),
    'GET /throw': () => {
      throw new Error('thrown');
    },
  });
  equal(fixture.answer(get('/fast', 'HEAD')), OK);
  equal(fixture.answer(get('/text', 'HEAD')), okText('HEAD').slice(0, -4));
  equal(fixture.answer(get('/none', 'HEAD')), errorText('404 Not Found').slice(0, -14));
  const failed = '500 Internal Server Error';
  equal(fixture.answer(get('/throw', 'HEAD')), errorText(failed).slice(0, -failed.length - 1));
  equal(fixture.answer(get('/text') + get('/text', 'HEAD') + get('/fast')).endsWith(OK), true);
});

const MISTAKES: Record<string, [handler: Handler, log: RegExp]> = {
  'throws an error': [
    () => {
      throw new TypeError('thrown');
    },
    /a handler failed: TypeError: thrown/,
  ],
  'throws what is no error': [
    () => {
      throw undefined;
    },
    /a handler failed/,
  ],
  'does not end its response': [() => {}, /did not end its response/],
  'is async and ends later': [
    (async (_request: Request, response: Response) => {
      await Promise.resolve();
      try {
        response.end();
      } catch {}
    }) as Handler,
    /async/,
  ],
  'is async and rejects': [
    (() => Promise.reject(new Error('later'))) as unknown as Handler,
    /did not end its response/,
  ],
  'ends its response twice': [
    (_request, response) => {
      response.end('first');
      response.end('second');
    },
    /ended already/,
  ],
  'ends and then throws': [
    (_request, response) => {
      response.end('ended');
      throw new Error('afterwards');
    },
    /afterwards/,
  ],
  'answers with an interim status': [(_request, response) => response.end('', 101), /RangeError/],
  'answers with a status of no meaning': [
    (_request, response) => response.end(undefined, 599),
    /RangeError/,
  ],
  'answers with a fraction': [(_request, response) => response.end('', 200.5), /RangeError/],
  'answers 204 with a body': [(_request, response) => response.end('x', 204), /no body/],
  'answers with an object': [
    (_request, response) => response.end({} as unknown as string),
    /TypeError/,
  ],
  'answers with more than fits': [
    (_request, response) => response.end('x'.repeat(BODY_SIZE_MAX + 1)),
    /larger than the limit/,
  ],
  'answers with more than fits in UTF-8': [
    (_request, response) => response.end('ü'.repeat(BODY_SIZE_MAX / 2 + 1)),
    /larger than the limit/,
  ],
};

for (const [name, [handler, log]] of Object.entries(MISTAKES)) {
  test(`a handler that ${name} costs its own request only`, () => {
    const fixture = new Fixture({ 'GET /wrong': handler });
    const text = get('/fast') + get('/wrong') + get('/fast');
    equal(fixture.answer(text), OK + errorText('500 Internal Server Error') + OK);
    equal(fixture.logged.length, 1);
    ok(log.test(fixture.logged[0]!), fixture.logged[0]);
    equal(fixture.count('handlersFailed'), 1);
    equal(fixture.count('responses5xx'), 1);
    equal(fixture.count('responses2xx'), 2);
  });
}

test('what a handler keeps of its request and response is of no use afterwards', () => {
  let kept: [Request, Response] | undefined;
  const fixture = new Fixture({
    'GET /keep': (request, response) => {
      kept ??= [request, response];
      response.end('mine');
    },
    'GET /late': (_request, response) => {
      response.end('theirs');
    },
  });
  equal(fixture.answer(get('/keep')), okText('mine'));
  let message = '';
  try {
    kept![1].end('again');
  } catch (error) {
    message = (error as Error).message;
  }
  equal(message, 'the response was used after its handler returned');
  equal(fixture.answer(get('/late')), okText('theirs'));
});

test('the longest body fits, for text and for bytes', () => {
  const fixture = new Fixture({
    'GET /text': (_request, response) => response.end('x'.repeat(BODY_SIZE_MAX)),
    'GET /bytes': (_request, response) => response.end(new Uint8Array(BODY_SIZE_MAX), 511),
  });
  equal(fixture.answer(get('/text')), okText('x'.repeat(BODY_SIZE_MAX)));
  ok(fixture.answer(get('/bytes')).endsWith('\0'.repeat(BODY_SIZE_MAX)));
  deepEqual(fixture.logged, []);
});

test('an empty body has a length of zero, and 204 has none', () => {
  const fixture = new Fixture({
    'GET /empty': (_request, response) => response.end(''),
    'GET /none': (_request, response) => response.end(undefined, 204),
  });
  equal(fixture.answer(get('/empty')), okText(''));
  equal(fixture.answer(get('/none')), response('204 No Content'));
});

test('a request that asks for a close is the last one that is served', () => {
  const fixture = new Fixture();
  const last = `GET /fast HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n\r\n`;
  equal(fixture.serve(get('/fast') + last + get('/fast')), get('/fast'));
  equal(fixture.written(), OK + response('200 OK', [CLOSE, 'Content-Length: 0']));
  equal(fixture.has(CLOSE_AFTER_SEND), true);
  equal(fixture.has(LINGER_AFTER_SEND), false);
  equal(fixture.count('requests'), 2);
});

test('HTTP/1.0 ends the connection, unless it asks to go on', () => {
  const fixture = new Fixture();
  const goesOn = `GET /fast HTTP/1.0\r\n${KEEP_ALIVE}\r\n\r\n`;
  equal(fixture.answer(goesOn), response('200 OK', [KEEP_ALIVE, 'Content-Length: 0']));
  equal(fixture.has(CLOSE_AFTER_SEND), false);
  const none = errorText('404 Not Found', [CLOSE]);
  equal(fixture.answer('GET /none HTTP/1.0\r\n\r\n'), none);
  equal(fixture.has(CLOSE_AFTER_SEND), true);
});

const MALFORMED: Record<string, string> = {
  '400 Bad Request': 'GET /fast HTTP/1.1\r\n\r\n',
  '413 Content Too Large': 'POST /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  '414 URI Too Long': `GET /${'x'.repeat(8192)} HTTP/1.1\r\n`,
  '431 Request Header Fields Too Large': `${get('/').slice(0, -2)}A: ${'x'.repeat(16_384)}\r\n\r\n`,
  '501 Not Implemented':
    'POST /fast HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  '505 HTTP Version Not Supported': 'GET /fast HTTP/2.0\r\nHost: a\r\n\r\n',
};

for (const [status, text] of Object.entries(MALFORMED)) {
  test(`${status}: what follows is never interpreted, and the connection lingers`, () => {
    const fixture = new Fixture();
    equal(fixture.answer(get('/fast') + text + get('/fast')), OK + errorText(status, [CLOSE]));
    equal(fixture.has(CLOSE_AFTER_SEND), true);
    equal(fixture.has(LINGER_AFTER_SEND), true);
    equal(fixture.count('requests'), 2);
    equal(fixture.userCodeRuns, 1);
  });
}

test('a rejected HEAD request gets no body either', () => {
  const fixture = new Fixture();
  const text = 'HEAD /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n';
  const body = '413 Content Too Large\n';
  equal(fixture.answer(text), errorText('413 Content Too Large', [CLOSE]).slice(0, -body.length));
});

test('a delegated request waits for its task; what is behind it is not looked at', () => {
  const fixture = new Fixture();
  const { slot, table, delegation } = fixture;
  equal(fixture.serve(get('/fast') + get('/slow?x') + get('/fast')), get('/fast'));
  equal(fixture.written(), OK);
  equal(table.state(slot), DELEGATED);
  const generation = table.generation(slot);
  deepEqual(delegation.running, [{ task: 0, slot, generation, target: '/slow?x' }]);
  equal(fixture.count('tasksDelegated'), 1);
  equal(fixture.userCodeRuns, 1);
  equal(fixture.taskDone(200, 'done'), okText('done'));
  equal(table.state(slot), OPEN);
  equal(fixture.answer(get('/fast')), OK);
});

test('each route delegates to the task it names', () => {
  const fixture = new Fixture();
  fixture.serve(get('/slow', 'PUT'));
  fixture.taskDone(200);
  fixture.serve(get('/slow'));
  deepEqual(
    fixture.delegation.running.map(({ task }) => task),
    [1, 0],
  );
});

test('the result of a task: no body, a body of any status, an error without one', () => {
  const fixture = new Fixture();
  const results: [number, string, string][] = [
    [200, '', OK],
    [201, 'made', okText('made').replace('200 OK', '201 Created')],
    [204, '', response('204 No Content')],
    [404, '', response('404 Not Found', ['Content-Length: 0'])],
    [500, '', errorText('500 Internal Server Error')],
    [503, 'busy', okText('busy').replace('200 OK', '503 Service Unavailable')],
  ];
  for (const [status, body, expected] of results) {
    fixture.serve(get('/slow'));
    equal(fixture.taskDone(status, body), expected);
  }
  equal(fixture.count('responses2xx'), 3);
  equal(fixture.count('responses4xx'), 1);
  equal(fixture.count('responses5xx'), 2);
});

test('the result of a task for HEAD has the length of its body, and not the body', () => {
  const fixture = new Fixture();
  fixture.serve(get('/slow', 'HEAD'));
  equal(fixture.has(HEAD_REQUEST), true);
  equal(fixture.taskDone(200, 'done'), okText('done').slice(0, -4));
  equal(fixture.has(HEAD_REQUEST), false);
  fixture.serve(get('/slow', 'HEAD'));
  const status = '500 Internal Server Error';
  equal(fixture.taskDone(500), errorText(status).slice(0, -status.length - 1));
  fixture.serve(get('/slow'));
  equal(fixture.taskDone(200, 'done'), okText('done'));
});

test('what a delegated request says about the connection is said by its response', () => {
  const fixture = new Fixture();
  fixture.serve(`GET /slow HTTP/1.0\r\n${KEEP_ALIVE}\r\n\r\n`);
  equal(fixture.taskDone(200), response('200 OK', [KEEP_ALIVE, 'Content-Length: 0']));
  fixture.serve(`GET /slow HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n\r\n`);
  equal(fixture.taskDone(200), response('200 OK', [CLOSE, 'Content-Length: 0']));
  equal(fixture.has(CLOSE_AFTER_SEND), true);
});

test('a task that is refused: 503 tells when to retry, 414 does not; the next is served', () => {
  const fixture = new Fixture();
  const { delegation } = fixture;
  const retry = 'Retry-After: 1';
  const busy = '503 Service Unavailable';
  delegation.decide = () => 503;
  equal(fixture.answer(get('/slow') + get('/fast')), errorText(busy, [], [retry]) + OK);
  delegation.decide = () => 414;
  equal(fixture.answer(get('/slow') + get('/fast')), errorText('414 URI Too Long') + OK);
  delegation.decide = () => 503;
  const head = errorText(busy, [], [retry]).slice(0, -busy.length - 1);
  equal(fixture.answer(get('/slow', 'HEAD')), head);
  equal(fixture.has(HEAD_REQUEST), false);
  equal(fixture.table.state(fixture.slot), OPEN);
  equal(fixture.count('tasksDelegated'), 0);
  delegation.decide = () => 0;
  fixture.serve(get('/slow'));
  equal(fixture.taskDone(200, 'body'), okText('body'));
});

test('a task that is done before delegate returns keeps its place in the order', () => {
  const fixture = new Fixture();
  const { exchange, delegation, slot } = fixture;
  delegation.delegate = () => {
    equal(exchange.onTaskDone(slot, 200, Buffer.from('inline'), 0, 6), true);
    return 0;
  };
  const text = get('/fast') + get('/slow') + get('/slow', 'HEAD') + get('/fast');
  equal(fixture.answer(text), OK + okText('inline') + okText('inline').slice(0, -6) + OK);
  equal(fixture.table.state(slot), OPEN);
});

test('a draining server says so in every response, and serves nothing behind it', () => {
  const fixture = new Fixture();
  fixture.serve(get('/slow'));
  fixture.exchange.draining = true;
  equal(fixture.taskDone(200), response('200 OK', [CLOSE, 'Content-Length: 0']));
  equal(fixture.has(CLOSE_AFTER_SEND), true);

  for (const [target, status] of [
    ['/fast', ''],
    ['/none', '404 Not Found'],
  ] as const) {
    const other = new Fixture();
    other.exchange.draining = true;
    equal(other.serve(get(target) + get('/fast')), get('/fast'));
    const expected =
      status === '' ? response('200 OK', [CLOSE, 'Content-Length: 0']) : errorText(status, [CLOSE]);
    equal(other.written(), expected);
    equal(other.has(CLOSE_AFTER_SEND), true);
  }
});

test('when a response might not fit, the connection is suspended before its request', () => {
  const fixture = new Fixture();
  const { sendSide, slot } = fixture;
  const big = get('/big');
  const rest = fixture.serve(big.repeat(8));
  equal(fixture.has(SUSPENDED), true);
  const served = 8 - rest.length / big.length;
  // Beyond half of the block, the longest response would no longer fit.
  equal(served, Math.ceil(RESPONSE_SIZE_MAX / okText(BIG).length));
  equal(fixture.count('requests'), served);
  equal(sendSide.hasBlock(slot), true);
  equal(fixture.written(), okText(BIG).repeat(served));
  fixture.table.clearFlag(slot, SUSPENDED);
  equal(fixture.serve(big), '');
  equal(fixture.written(), okText(BIG));
});

test('without a block nothing is read, and the flag with no block tells why', () => {
  const fixture = new Fixture();
  const other = fixture.table.acquire();
  fixture.sendSide.reserve(other);
  equal(fixture.serve(get('/fast')), get('/fast'));
  equal(fixture.has(SUSPENDED), true);
  equal(fixture.sendSide.hasBlock(fixture.slot), false);
  equal(fixture.count('requests'), 0);
  equal(fixture.count('sendBlocksDry'), 1);
  equal(fixture.userCodeRuns, 0);
});

test('a task whose connection finds no block is told so', () => {
  const fixture = new Fixture();
  const { slot, table, sendSide } = fixture;
  fixture.serve(get('/fast') + get('/slow'));
  equal(fixture.written(), OK);
  const other = table.acquire();
  sendSide.reserve(other);
  equal(fixture.exchange.onTaskDone(slot, 200, Buffer.alloc(0), 0, 0), false);
  equal(table.state(slot), OPEN);
});
