// Which connections of HTTP may go over to a protocol of the application: that is asked when a
// handler says so, and a mistake is found where it was made. Control plane: it happens once in the
// life of a connection.

import type { NamedProtocol } from '../app/compiled-app.ts';
import { ExchangeError } from '../app/exchange-error.ts';
import type { Protocol } from '../app/protocol.ts';
import { checkProtocolToken, UpgradeError } from '../app/upgrade-error.ts';
import type { Exchange } from './exchange.ts';
import { BODY_DONE } from './exchange.ts';

/** The protocol of this name, if the connection of the exchange may go over to it. @throws Error */
export function findUpgrade(
  protocols: readonly NamedProtocol[],
  { request, upgrades, bodyState }: Exchange,
  name: string,
  token: string,
  isDraining: boolean,
): Protocol {
  const found = protocols.find((each) => each.name === name);
  if (found === undefined) throw new TypeError(`there is no protocol "${name}"`);
  checkProtocolToken(token);
  if (!request.isBound) throw new Error('only the handler of a route can upgrade its connection');
  if (!upgrades || !offers(request.field('upgrade'), token)) throw new UpgradeError(token);
  if (bodyState !== BODY_DONE) {
    throw new ExchangeError('the body is read before the connection is upgraded', 400);
  }
  if (isDraining) throw new ExchangeError('the server ends: no connection is upgraded', 503);
  return found.protocol;
}

/** The fields that come with the failure of a handler: RFC 9110 section 15.5.22. */
export function failureFields(error: unknown): Uint8Array | null {
  if (!(error instanceof UpgradeError)) return null;
  return new TextEncoder().encode(`Upgrade: ${error.token}\r\nConnection: Upgrade\r\n`);
}

// Names of protocols are compared without their case, RFC 9110 7.8.
function offers(value: string | undefined, token: string): boolean {
  const offered = (value ?? '').toLowerCase().split(',');
  return offered.some((each) => each.trim() === token.toLowerCase());
}
