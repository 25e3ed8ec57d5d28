// Functions that the runtime calls over HTTP, registered in one step: the id is claimed, the definition read, its URL looked at and its
// secrets found; then it is published, or nothing has happened. What the owner had under the id before serves until then, and calls that
// are under way end where they began.

import type { Egress, Reach } from '../egress/egress.ts';
import type { FunctionOwner, FunctionSpec, RegisteredFunction } from '../functions/function.ts';
import type { Functions } from '../functions/registry.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { requireSecret } from './auth.ts';
import { readDefinition } from './definition.ts';
import { Endpoint } from './endpoint.ts';
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
  readonly #parts: HttpParts;

  constructor(parts: HttpParts) {
    this.#parts = parts;
  }

  /**
   * Null when the owner has gone meanwhile, or has given up the id or registered it otherwise. Rejects with what is wrong
   * (`function_exists`, `invalid_request`, `url_validation_failed`, `secret_not_found`, `token_not_found`, `api_key_not_found`,
   * `worker_exists` for the group, `cancelled`); what the owner had under the id then goes on serving.
   */
  async register(registration: HttpRegistration, signal?: AbortSignal): Promise<RegisteredFunction | null> {
    const { owner, spec, invocation, reach, group } = registration;
    const { functions, egress } = this.#parts;
    const claim = functions.claim(owner, spec.functionId);
    try {
      const definition = readDefinition(invocation);
      const url = await egress.check(definition.url, reach, signal);
      if (definition.auth !== null) requireSecret(definition.auth, egress);
      const server = new Endpoint(spec.functionId, definition, { url, reach }, this.#parts);
      return claim.publish(spec, { server, group });
    } finally {
      claim.release();
    }
  }
}
