// Why a connection does not change its protocol. Control plane.

import { ExchangeError } from './exchange-error.ts';

/** RFC 9110 section 15.5.22. */
const UPGRADE_REQUIRED = 426;
// RFC 9110 section 7.8: a token, and perhaps a version, which is one too.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/;

/**
 * The client did not ask for the protocol that it was to be given. Unless the handler catches it,
 * the response is a 426, whose `Upgrade` field tells the client what to ask for.
 */
export class UpgradeError extends ExchangeError {
  override name = 'UpgradeError';
  /** What the client has to ask for. */
  readonly token: string;

  /** @throws TypeError for what no protocol can be called: it would be sent as a field. */
  constructor(token: string) {
    checkProtocolToken(token);
    super(`the request does not ask for ${token}`, UPGRADE_REQUIRED);
    this.token = token;
  }
}

/** @throws TypeError for what no protocol can be called. */
export function checkProtocolToken(token: string): void {
  if (typeof token === 'string' && TOKEN.test(token)) return;
  throw new TypeError(`${JSON.stringify(token)} is not what a protocol is called: no token`);
}
