// What the request side of the connections is made of. Types only.

import type { CompiledApp } from '../app/compiled-app.ts';
import type { Counters } from '../base/counters.ts';
import type { BodyDecoder } from '../http/body-decoder.ts';
import type { RequestParser } from '../http/request-parser.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { Departures } from './departures.ts';
import type { Exchanges } from './exchanges.ts';
import type { ResponseSide } from './response-side.ts';
import type { SendSide } from './send-side.ts';
import type { TaskDelegation } from './task-delegation.ts';

export interface RequestSideOptions {
  readonly app: CompiledApp;
  readonly bytes: Uint8Array;
  readonly table: ConnectionTable;
  readonly exchanges: Exchanges;
  readonly sendSide: SendSide;
  readonly responseSide: ResponseSide;
  readonly parser: RequestParser;
  readonly decoder: BodyDecoder;
  readonly counters: Counters;
  readonly delegation: TaskDelegation;
  readonly departures: Departures | undefined;
  /** The most requests of one connection. */
  readonly requestsMax: number;
  /** The response is broken off: the connection must end. */
  readonly onBroken: (slot: number, reason: number) => void;
  /** Tells the loop that code of the user ran. */
  readonly onUserCode: () => void;
  /** Writes to the log. */
  readonly log: (message: string, error?: unknown) => void;
}
