// What a session needs of what is around it; the gateway provides it. Types only, so that the parts of a session need not know the gateway.

import type { EngineParts } from '../engine/engine.ts';
import type { Remote } from '../engine/remote.ts';
import type { Triggers } from '../engine/triggers.ts';
import type { GreenroomError } from '../errors.ts';
import type { HttpFunctions } from '../http/functions.ts';
import type { Peers } from '../functions/peers.ts';
import type { Functions } from '../functions/registry.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import type { Ledger } from './served.ts';
import type { Telemetry } from './telemetry.ts';
import type { Silence } from './wire.ts';

/** Why a session ended; in its detail for as long as it is listed. */
export type DisconnectReason =
  'closed' | 'lost' | 'payload_too_large' | 'protocol_error' | 'replaced' | 'shutdown' | Silence;

export interface GatewayParts {
  readonly limits: Limits;
  readonly log: Logger;
  readonly functions: Functions;
  readonly peers: Peers;
  /** Functions that the runtime calls over HTTP. */
  readonly http: Pick<HttpFunctions, 'register'>;
  /** Of the runtime. */
  readonly version: string;
  /** Checks large, untrusted JSON off the main thread. Rejects with `invalid_json` or `runtime_overloaded`. */
  checkPayload(bytes: Uint8Array): void | Promise<void>;
  readonly createChannel: EngineParts['createChannel'];
  /** Ends the channels of a session that has ended. */
  closeChannels(ownerId: string): void;
  readonly telemetry: Telemetry;
}

/** What sessions need of what is around them. */
export interface GatewayServices extends GatewayParts {
  readonly triggers: Triggers;
  readonly ledger: Ledger;
  isConnected(remote: Remote): boolean;
  /** The remote says that it was another session before, and what that one's secret token was. */
  reattach(remote: Remote, previousWorkerId: string, token: string | null): void;
  /** The last step of a session's end. */
  ended(remote: Remote): void;
  reportInternal(error: GreenroomError): void;
}
