// Not built yet: functions that the runtime calls over HTTP. Registered in one step, or not at all.

import type { Egress, Reach } from '../egress/egress.ts';
import { GreenroomError } from '../errors.ts';
import type { FunctionOwner, FunctionSpec, RegisteredFunction } from '../functions/function.ts';
import type { Functions } from '../functions/registry.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import type { HttpClient } from './exchange.ts';

export interface HttpParts {
  readonly functions: Functions;
  readonly egress: Egress;
  readonly client: HttpClient;
  readonly limits: Limits;
  readonly log: Logger;
  /** Checks large JSON off the main thread. Rejects with `invalid_json` or `runtime_overloaded`. */
  checkPayload(bytes: Uint8Array): void | Promise<void>;
}

/** What is to be registered, and for whom. */
export interface HttpRegistration {
  readonly owner: FunctionOwner;
  readonly spec: FunctionSpec;
  /** As it was given: `{url, method?, timeout_ms?, headers?, auth?}`. */
  readonly invocation: unknown;
  readonly reach: Reach;
  readonly group?: string | undefined;
}

export class HttpFunctions {
  constructor(_parts: HttpParts) {}

  /** Null when the owner has gone meanwhile. Rejects with what is wrong; what the owner had under the id then goes on serving. */
  register(_registration: HttpRegistration, _signal?: AbortSignal): Promise<RegisteredFunction | null> {
    throw GreenroomError.of('unsupported_operation');
  }
}
