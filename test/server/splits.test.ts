// However a stream of requests is cut, handlers see the same requests and the client gets the same
// bytes: valid, mutated and hostile streams from seeds, whole, cut at random and byte by byte.
//
// Two things may differ, and are taken out: the date, and "100 Continue", which a client gets only
// if it waits for it (RFC 9110 section 10.1.1).

import { deepEqual, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nextStream } from '../differential/streams.ts';
import { makeCuts, makeStream } from '../fuzz/mutations.ts';
import { request } from '../support/http-peer.ts';
import { parseResponse } from '../support/http-response.ts';
import type { Prng } from '../support/prng.ts';
import { prng } from '../support/prng.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { sharedServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/events-app.ts', import.meta.url));
const server = sharedServer([APP, '-A', '1', '-w', '1', '-C', '100']);
const STREAMS = 60;
/** Streams that are sent byte by byte as well are not larger. */
const BYTEWISE_SIZE_MAX = 400;

interface Outcome {
  readonly bytes: string;
  readonly events: string[];
}

/** A peer that is not waited for without end. */
function open(): RawPeer {
  const peer = new RawPeer(server().port);
  peer.setTimeout(20);
  return peer;
}

/** All that was sent before has reached the server: it has one accept thread. */
function barrier(peer: RawPeer): void {
  peer.send(request('/'));
  let answer = '';
  while (!answer.includes('\r\n\r\n') || !answer.endsWith(']')) answer += peer.recv();
}

/** Everything until the end; what comes before a reset is there all the same. */
function rest(peer: RawPeer): string {
  let bytes = '';
  try {
    for (let piece = peer.recv(); piece !== ''; piece = peer.recv()) bytes += piece;
  } catch (error) {
    if (!(error as Error).message.includes('ECONNRESET')) throw error;
  }
  peer.close();
  return bytes;
}

function eventsSince(): string[] {
  const peer = open();
  peer.send(request('/events', 'GET', 'Connection: close'));
  const { body } = parseResponse(Buffer.from(rest(peer), 'latin1'), 'GET', true)!;
  const all = (JSON.parse(body) as string[]).filter((event) => !event.startsWith(BARRIER));
  // Safe requests are served at the same time, so when each of them is done is nobody's promise.
  const begun = all.filter((event) => event.endsWith(']'));
  return [...begun, ...all.filter((event) => !event.endsWith(']')).sort()];
}

const BARRIER = '["GET","/","/","test",null';

/** What becomes of a stream that is sent in the pieces between `cuts`. */
function outcome(pace: RawPeer, stream: string, cuts: readonly number[]): Outcome {
  const peer = open();
  let at = 0;
  try {
    for (const cut of [...cuts, stream.length]) {
      if (cut === at) continue;
      peer.send(stream.slice(at, cut));
      at = cut;
      if (cut < stream.length) barrier(pace);
    }
    peer.endSending();
  } catch {
    // The server has ended the connection: behind its last response nothing is a request.
  }
  return { bytes: comparable(rest(peer)), events: eventsSince() };
}

function comparable(bytes: string): string {
  return bytes.replaceAll(/Date: [^\r]+\r\n/g, '').replaceAll('HTTP/1.1 100 Continue\r\n\r\n', '');
}

const sources: readonly [string, (pick: Prng) => string][] = [
  ['valid and mutated', makeStream],
  ['valid and hostile', (pick) => nextStream(pick).requests.join('')],
];

describe('a stream has one meaning, however it is cut', () => {
  for (const [name, next] of sources) {
    test(`${name} streams`, () => {
      const pace = open();
      let responses = 0;
      let seen = 0;
      for (let seed = 1; seed <= STREAMS; seed++) {
        const pick = prng(seed);
        for (let skipped = 0; skipped < 8; skipped++) pick(1);
        const stream = next(pick);
        const ways = [makeCuts(stream.length, pick), makeCuts(stream.length, pick)];
        if (stream.length <= BYTEWISE_SIZE_MAX) ways.push([...stream].map((_, at) => at));
        const whole = outcome(pace, stream, []);
        for (const cuts of ways) {
          const cut = outcome(pace, stream, cuts);
          const about = `seed ${seed}, cut at ${cuts}: ${JSON.stringify(stream)}`;
          deepEqual(cut, whole, `${about}\n${JSON.stringify([cut, whole], undefined, 1)}`);
        }
        responses += whole.bytes.split('HTTP/1.1 ').length - 1;
        seen += whole.events.length;
      }
      pace.close();
      ok(responses > STREAMS, `${responses} responses`);
      ok(seen > STREAMS, `${seen} events`);
    });
  }
});
