// Requests of every kind to `hand-off-app.ts` on one connection, one by one and pipelined, cut
// anywhere: each response has to be right, in order, and from the thread it should be.

import { equal, match } from 'node:assert/strict';
import type { HttpPeer, HttpResponse } from './http-peer.ts';
import { request } from './http-peer.ts';
import type { Prng } from './prng.ts';

const KINDS = ['/fast', '/slow', '/sync', '/async', '/kept'] as const;
const PIPELINED_MAX = 6;

/** A target of any kind. */
export function anyTarget(random: Prng, name: string): string {
  return `${KINDS[random(KINDS.length)]}?${name}`;
}

/** Asserts that a response is that of its target. The result of a task does not tell its thread. */
export function checkHandedOff(target: string, response: HttpResponse): void {
  equal(response.status, 200, target);
  equal(response.body, target);
  if (target.startsWith('/slow')) return;
  const thread = target.startsWith('/fast') ? /^accept-\d+$/ : /^worker-\d+$/;
  match(response.fields.get('x-thread') ?? '', thread);
}

/** Asks at least `count` requests. */
export async function converse(peer: HttpPeer, count: number, random: Prng): Promise<void> {
  for (let asked = 0; asked < count; ) {
    const targets: string[] = [];
    for (let left = 1 + random(PIPELINED_MAX); left > 0; left--) {
      targets.push(anyTarget(random, `${asked++}`));
    }
    const bytes = targets.map((target) => request(target)).join('');
    const cut = random(bytes.length);
    await peer.send(bytes.slice(0, cut));
    await peer.send(bytes.slice(cut));
    for (const target of targets) checkHandedOff(target, await peer.response());
  }
}
