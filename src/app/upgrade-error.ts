// Why a connection does not change its protocol. Control plane.

import { ExchangeError } from './exchange-error.ts';

/** RFC 9110 section 15.5.22. */
const UPGRADE_REQUIRED = 426;

/**
 * The client did not ask for the protocol that it was to be given. Unless the handler catches it,
 * the response is a 426, whose `Upgrade` field tells the client what to ask for.
 */
export class UpgradeError extends ExchangeError {
  override name = 'UpgradeError';
  /** What the client has to ask for. */
  readonly token: string;

  constructor(token: string) {
    super(`the request does not ask for ${token}`, UPGRADE_REQUIRED);
    this.token = token;
  }
}
