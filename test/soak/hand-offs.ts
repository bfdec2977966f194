// Connections that change threads all the time: 10,000 requests on one, then 1,000 at once.

import { fileURLToPath } from 'node:url';
import { converse } from '../support/hand-off-conversation.ts';
import { HttpPeer } from '../support/http-peer.ts';
import { prng } from '../support/prng.ts';
import { sumOf } from '../support/server-process.ts';
import type { SoakSpec } from './soak.ts';
import { check, checkPlan } from './soak.ts';

const REQUESTS = 10_000;
const CONNECTIONS = 1000;
const REQUESTS_EACH = 100;

const NOWHERE = { after: (): void => {} };

export const handOffs: SoakSpec = {
  app: fileURLToPath(new URL('../support/hand-off-app.ts', import.meta.url)),
  args: ['-w', '2', '-C', '1200'],
  run: async (server) => {
    const { port } = server;
    const descriptors = server.descriptors();
    const lone = await HttpPeer.open(NOWHERE, port);
    await converse(lone, REQUESTS, prng(1));
    lone.close();
    const peers: HttpPeer[] = [];
    while (peers.length < CONNECTIONS) peers.push(await HttpPeer.open(NOWHERE, port));
    const began = performance.now();
    await Promise.all(peers.map((peer, index) => converse(peer, REQUESTS_EACH, prng(index))));
    const seconds = (performance.now() - began) / 1000;
    for (const peer of peers) peer.close();
    const reports = await server.reportUntil(
      (accepts) => sumOf(accepts, 'connectionsOpen') === 0,
      10_000,
    );
    check(server.descriptors() === descriptors, 'a descriptor is left');
    const away = sumOf(reports, 'handedOff');
    check(away > 20_000, `only ${away} hand-offs`);
    const rate = `${CONNECTIONS} connections in ${seconds.toFixed(1)} s`;
    return `${away} hand-offs, ${rate}, ${checkPlan(server)}`;
  },
};
