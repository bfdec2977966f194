// The promise of a stream. A rejection that nobody waits for ends a thread, and with it every
// connection: here somebody else is told of it instead. Control plane.

export class StreamPromise extends Promise<undefined> {
  #isAwaited = false;

  constructor(stream: Promise<undefined>, onUnawaited: (error: unknown) => void) {
    super((resolve) => resolve(stream));
    super.then(undefined, (error: unknown) => {
      if (!this.#isAwaited) onUnawaited(error);
    });
  }

  // What is made of it is a promise as any other.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // Also `await` comes here, because this is a class of its own.
  // biome-ignore lint/suspicious/noThenProperty: a promise has it
  override then<A = undefined, B = never>(
    fulfilled?: ((value: undefined) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isAwaited = true;
    return super.then(fulfilled, rejected);
  }
}
