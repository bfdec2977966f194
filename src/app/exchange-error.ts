// Why a request cannot be read, or its response not be sent, to the end. Control plane.

/** Why a request cannot be read, or its response not be sent, to the end. */
export class ExchangeError extends Error {
  override name = 'ExchangeError';
  /**
   * The status that tells the peer, 400 to 599, or 0 when there is no peer to tell. A request whose
   * handler fails with any other is answered with 500.
   */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}
