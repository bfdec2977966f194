// The end of an exchange whose connection has ended: whoever waits for the peer is told. Control
// plane: an error is made for each handler that still runs.

import { ExchangeError } from '../app/exchange-error.ts';
import type { Exchange } from './exchange.ts';

export function abort(exchange: Exchange): void {
  const error = new ExchangeError('the connection has ended', 0);
  exchange.request.fail(error);
  exchange.response.fail(error);
}
