// One request of a scenario, before the load: a server that answers something else may well be
// faster.

import { request } from 'node:http';
import type { Scenario } from './scenarios.ts';

const ANSWERS_WITHIN_MS = 10_000;

/** @throws Error when the answer is not a 200 with as many bytes as the scenario says. */
export async function checkAnswer(origin: string, scenario: Scenario): Promise<void> {
  const { target, fields, requestSize, responseSize } = scenario;
  const answer = Promise.withResolvers<void>();
  const options = {
    method: requestSize > 0 ? 'POST' : 'GET',
    headers: Object.fromEntries(fields),
    agent: false as const,
    timeout: ANSWERS_WITHIN_MS,
  };
  const outgoing = request(origin + target, options, (response) => {
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    response.on('error', answer.reject);
    response.on('end', () => {
      if (response.statusCode === 200 && size === responseSize) answer.resolve();
      else answer.reject(new Error(`it answers ${response.statusCode} with ${size} bytes`));
    });
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error('it does not answer')));
  outgoing.on('error', answer.reject);
  if (requestSize > 0) outgoing.end(Buffer.alloc(requestSize));
  else outgoing.end();
  await answer.promise;
}
