// A server whose application is being written: when its sources change, threads that run the new
// ones take over, and those that ran the old ones answer what is in flight and end. The listeners
// stay open throughout, and their backlogs with them, so no connection is refused. An application
// that cannot start is told of, and the threads that are there go on. Control plane.

import { fileURLToPath } from 'node:url';
import type { ServerOptions } from '../base/options.ts';
import type { Listeners } from '../io/listener.ts';
import { closeListeners } from '../io/listener.ts';
import { FileWatch, projectFolder } from './file-watch.ts';
import { bind, Server } from './server.ts';
import { EXIT_FAILURE, StartError } from './start-error.ts';

export class WatchedServer {
  /** Settles when everything has ended after `drain`; throws when a thread died. */
  readonly ended: Promise<void>;
  readonly #options: ServerOptions;
  readonly #app: string;
  readonly #log: (line: string) => void;
  readonly #listeners: Listeners;
  readonly #watch: FileWatch;
  readonly #end = Promise.withResolvers<void>();
  readonly #retired = new Set<Promise<void>>();
  #server: Server | undefined;
  // True exactly when a server is being started, and when sources have changed meanwhile.
  #starting = false;
  #changed = false;
  #ending = false;

  private constructor(options: ServerOptions, app: string, log: (line: string) => void) {
    this.#options = options;
    this.#app = app;
    this.#log = log;
    this.ended = this.#end.promise;
    this.ended.catch(() => {});
    this.#listeners = bind(options);
    const folder = projectFolder(fileURLToPath(app));
    this.#watch = new FileWatch(folder, () => void this.#onChange());
  }

  /**
   * Starts to watch, and serves as soon as the application can. `onReady` is told of each server
   * that takes over. @throws StartError for what no change of the application would mend.
   */
  static async start(
    options: ServerOptions,
    app: string,
    log: (line: string) => void,
    onReady: (server: Server) => void,
  ): Promise<WatchedServer> {
    const watched = new WatchedServer(options, app, log);
    watched.#onReady = onReady;
    try {
      await watched.#restart();
    } catch (error) {
      watched.#close();
      throw error;
    }
    return watched;
  }

  #onReady: (server: Server) => void = () => {};

  /** The server that serves now, or undefined while the application could not be started. */
  get server(): Server | undefined {
    return this.#server;
  }

  /** Answers what is in flight, then ends: `ended` tells when. */
  drain(): void {
    if (this.#ending) return;
    this.#ending = true;
    void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#server?.drain();
    try {
      await Promise.all([this.#server?.ended, ...this.#retired]);
      this.#end.resolve();
    } catch (error) {
      this.#end.reject(error);
    }
    this.#close();
  }

  #close(): void {
    this.#watch.close();
    closeListeners(this.#listeners);
  }

  async #onChange(): Promise<void> {
    this.#changed = true;
    if (this.#starting || this.#ending) return;
    try {
      await this.#restart();
    } catch (error) {
      this.#end.reject(error);
    }
  }

  async #restart(): Promise<void> {
    this.#starting = true;
    do {
      this.#changed = false;
      await this.#replace();
    } while (this.#changed && !this.#ending);
    this.#starting = false;
  }

  async #replace(): Promise<void> {
    let next: Server;
    try {
      next = await Server.start(this.#options, this.#app, this.#log, {
        takeOver: { listeners: this.#listeners, before: () => this.#retire() },
      });
    } catch (error) {
      if (!(error instanceof StartError) || error.exitCode !== EXIT_FAILURE) throw error;
      const state = this.#server === undefined ? 'waiting for a change' : 'the old threads go on';
      this.#log(`${error.message}\nmillrace: ${state}`);
      return;
    }
    this.#server = next;
    if (this.#ending) next.drain();
    // A thread that dies by itself ends the server, as it does without a watch.
    next.ended.catch((error) => this.#end.reject(error));
    this.#onReady(next);
  }

  async #retire(): Promise<void> {
    if (this.#server === undefined) return;
    const { ended } = this.#server;
    this.#retired.add(ended);
    void ended.then(
      () => this.#retired.delete(ended),
      () => {},
    );
    await this.#server.retire();
  }
}
