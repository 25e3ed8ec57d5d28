// What a session may do that came with a credential: which functions it may call, and under which ids it may register its own.
// Made once per credential, before any socket, and changed by nothing that a peer sends.

import { GreenroomError } from '../errors.ts';
import { MAX_FUNCTION_ID_CHARS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import type { CredentialRights } from './options.ts';
import { compilePatterns } from './patterns.ts';
import type { Matcher } from './patterns.ts';
import type { Policy, Registration } from './policy.ts';

/** What the SDK calls on its own account; refusing it would break every client, and gives nothing away. */
const INFRASTRUCTURE_IDS: ReadonlySet<string> = new Set([
  'engine::channels::create',
  'engine::workers::register',
  ...['info', 'warn', 'error', 'debug', 'trace'].map((level) => `engine::log::${level}`),
  ...['get', 'set', 'get_all'].map((name) => `engine::baggage::${name}`),
]);

export function isInfrastructure(functionId: string): boolean {
  return INFRASTRUCTURE_IDS.has(functionId);
}

export class CredentialPolicy implements Policy {
  readonly name: string;
  readonly mayBridge: boolean;
  /** Whether it may be used for the functions as tools, over plain HTTP. */
  readonly mayUseMcp: boolean;
  readonly maxCallsInFlight: number;
  readonly maxFunctions: number;
  readonly middlewareFunctionId = null;
  readonly context = null;
  /** With the `::`; empty for none. */
  readonly #prefix: string;
  readonly #mayCall: Matcher;
  readonly #mayExpose: Matcher;

  constructor(rights: CredentialRights, limits: Limits) {
    const { name, call, expose, prefix, bridge = false, mcp = false, limits: own = {} } = rights;
    this.name = name;
    this.mayBridge = bridge;
    this.mayUseMcp = mcp;
    this.maxCallsInFlight = Math.min(own.maxCallsInFlight ?? Infinity, limits.maxCallsInFlight);
    this.maxFunctions = Math.min(own.maxFunctions ?? Infinity, limits.maxFunctionsPerRemote);
    this.#prefix = prefix === undefined ? '' : `${prefix}::`;
    this.#mayCall = compilePatterns(call ?? ['*']);
    this.#mayExpose = compilePatterns(expose ?? ['*']);
  }

  toRegistered(functionId: string): string {
    return this.#prefix + functionId;
  }

  toPeer(registeredId: string): string {
    return registeredId.startsWith(this.#prefix) ? registeredId.slice(this.#prefix.length) : registeredId;
  }

  callRefusal(functionId: string): GreenroomError | null {
    if (isInfrastructure(functionId) || this.#mayCall(functionId)) return null;
    return forbidden(functionId, `add it to \`call\` of the credential ${this.name}`);
  }

  listRefusal(functionId: string): GreenroomError | null {
    return this.callRefusal(functionId);
  }

  registerRefusal(functionId: string): GreenroomError | null {
    const registeredId = this.toRegistered(functionId);
    return this.#mayExpose(registeredId) ? null : this.#unexposed(registeredId);
  }

  admit<R extends Registration>(registration: R): R {
    switch (registration.kind) {
      case 'function': {
        const refusal = this.registerRefusal(registration.functionId);
        if (refusal !== null) throw refusal;
        return { ...registration, functionId: this.toRegistered(registration.functionId) };
      }
      case 'trigger_type':
        if (!this.#mayExpose(registration.triggerType)) throw this.#unexposed(registration.triggerType);
        return registration;
      case 'trigger': {
        const functionId = this.toRegistered(registration.functionId);
        // A trigger calls its function, so it takes the right to call it, or to be the one that serves it.
        if (!this.#mayExpose(functionId) && !this.#mayCall(functionId)) throw this.#unexposed(functionId);
        return { ...registration, functionId };
      }
    }
  }

  remember(): void {
    // Ids differ by the prefix alone: nothing is kept for one of them.
  }

  forget(): void {
    // Likewise.
  }

  #unexposed(id: string): GreenroomError {
    return forbidden(id, `add it to \`expose\` of the credential ${this.name}`);
  }
}

/** `reason` names the list that an operator would have to edit. */
export function forbidden(id: string, reason: string, cause?: unknown): GreenroomError {
  const shown = id.slice(0, MAX_FUNCTION_ID_CHARS);
  return GreenroomError.of('forbidden', {
    message: `${shown} is not allowed: ${reason}.`,
    details: { function_id: shown },
    cause,
  });
}
