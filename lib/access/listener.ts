// A listener: a path of its own, where functions decide who is let in, what may be called and what is registered. Its policies narrow those
// of a credential, and are made one per connection, before the session is ready.

import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { ALL_GRANTS, askAuth, askHook } from './hooks.ts';
import type { CallFunction, Grants, PeerRequest } from './hooks.ts';
import type { ListenerOptions } from './options.ts';
import { compileFilters, compilePatterns } from './patterns.ts';
import type { Filter, Matcher } from './patterns.ts';
import { CredentialPolicy, forbidden, isInfrastructure } from './credential-policy.ts';
import type { Policy, Registration } from './policy.ts';

export interface Listener {
  readonly name: string;
  readonly options: ListenerOptions;
  /** Whether only the bearer token lets a peer in: then it is asked for before the upgrade, as on the main path. */
  readonly needsBearer: boolean;
  /** Null: whatever the credential may call. */
  readonly exposes: Filter | null;
}

export function compileListeners(given: Readonly<Record<string, ListenerOptions>> = {}): Listener[] {
  return Object.entries(given).map(([name, options]) => compileListener(name, options));
}

function compileListener(name: string, options: ListenerOptions): Listener {
  const rules = { ...options, middlewareFunctionId: undefined };
  const isOpen = Object.values(rules).every((rule) => rule === undefined);
  return {
    name,
    options,
    needsBearer: options.authFunctionId === undefined,
    exposes: isOpen ? null : compileFilters(options.exposeFunctions ?? []),
  };
}

export interface OpenRequest {
  readonly listener: Listener;
  readonly peer: PeerRequest;
  /** Of the bearer token that came with the upgrade; looked at only if there is no auth function. */
  readonly credential: CredentialPolicy | null;
  /** Ends within the invocation timeout, and when the socket closes. */
  readonly call: CallFunction;
  readonly limits: Limits;
}

/** Rejects with `unauthorized`, whatever the auth function did instead of letting the peer in; what it did is the cause. */
export async function openPolicy({ listener, peer, credential, call, limits }: OpenRequest): Promise<Policy> {
  const { authFunctionId } = listener.options;
  if (authFunctionId === undefined) {
    if (credential === null) throw GreenroomError.of('unauthorized');
    return new ListenerPolicy(listener, { credential, grants: ALL_GRANTS, call });
  }
  const grants = await askAuth(authFunctionId, peer, call).catch((cause: unknown) => {
    throw GreenroomError.of('unauthorized', { message: 'The listener did not let this peer in.', cause });
  });
  const prefix = grants.function_registration_prefix ?? undefined;
  const granted = new CredentialPolicy({ name: listener.name, prefix }, limits);
  return new ListenerPolicy(listener, { credential: granted, grants, call });
}

class ListenerPolicy implements Policy {
  readonly name: string;
  readonly mayBridge: boolean;
  readonly maxCallsInFlight: number;
  readonly maxFunctions: number;
  readonly middlewareFunctionId: string | null;
  readonly context: unknown;
  readonly #listener: Listener;
  readonly #credential: CredentialPolicy;
  readonly #grants: Grants;
  readonly #call: CallFunction;
  readonly #isForbidden: Matcher;
  readonly #allowed: ReadonlySet<string>;
  /** What a hook made of the peer's ids, and the way back. Bounded by maxFunctions. */
  readonly #renamed = new Map<string, string>();
  readonly #originals = new Map<string, string>();

  constructor(
    listener: Listener,
    { credential, grants, call }: { credential: CredentialPolicy; grants: Grants; call: CallFunction },
  ) {
    this.name = listener.name;
    this.mayBridge = credential.mayBridge;
    this.maxCallsInFlight = credential.maxCallsInFlight;
    this.maxFunctions = credential.maxFunctions;
    this.middlewareFunctionId = listener.options.middlewareFunctionId ?? null;
    this.context = grants.context;
    this.#listener = listener;
    this.#credential = credential;
    this.#grants = grants;
    this.#call = call;
    // What is forbidden may be a pattern. What is allowed is an id, letter by letter: an auth function may put into it what a peer
    // said, and a star from there must not open more.
    this.#isForbidden = compilePatterns(grants.forbidden_functions);
    this.#allowed = new Set(grants.allowed_functions);
  }

  toRegistered(functionId: string): string {
    return this.#credential.toRegistered(this.#renamed.get(functionId) ?? functionId);
  }

  toPeer(registeredId: string): string {
    const functionId = this.#credential.toPeer(registeredId);
    return this.#originals.get(functionId) ?? functionId;
  }

  callRefusal(functionId: string, metadata: unknown): GreenroomError | null {
    const refusal = this.#credential.callRefusal(functionId);
    if (refusal !== null) return refusal;
    const { name, exposes } = this.#listener;
    if (this.#isForbidden(functionId))
      return forbidden(functionId, `\`forbidden_functions\` from the auth function of ${name} holds it`);
    const isAllowed = this.#allowed.has(functionId) || isInfrastructure(functionId);
    if (isAllowed || exposes === null || exposes(functionId, metadata)) return null;
    return forbidden(functionId, `add it to \`exposeFunctions\` of the listener ${name}, or to \`allowed_functions\``);
  }

  listRefusal(functionId: string, metadata: unknown): GreenroomError | null {
    return this.callRefusal(functionId, metadata);
  }

  registerRefusal(functionId: string): GreenroomError | null {
    if (!this.#grants.allow_function_registration) return this.#ungranted('function', functionId);
    // A hook may give it another id.
    return this.#hookOf({ kind: 'function' }) === undefined ? this.#credential.registerRefusal(functionId) : null;
  }

  admit<R extends Registration>(registration: R): R | Promise<R> {
    this.#requireGranted(registration);
    const hook = this.#hookOf(registration);
    return hook === undefined ? this.#admitted(registration, registration) : this.#ask(hook, registration);
  }

  remember(functionId: string, registeredId: string): void {
    const renamed = this.#credential.toPeer(registeredId);
    this.forget(functionId);
    if (renamed === functionId) return;
    this.#renamed.set(functionId, renamed);
    this.#originals.set(renamed, functionId);
  }

  forget(functionId: string): void {
    const renamed = this.#renamed.get(functionId);
    if (renamed === undefined) return;
    this.#renamed.delete(functionId);
    this.#originals.delete(renamed);
  }

  #hookOf({ kind }: Pick<Registration, 'kind'>): string | undefined {
    const { options } = this.#listener;
    switch (kind) {
      case 'function':
        return options.onFunctionRegistrationFunctionId;
      case 'trigger':
        return options.onTriggerRegistrationFunctionId;
      case 'trigger_type':
        return options.onTriggerTypeRegistrationFunctionId;
    }
  }

  async #ask<R extends Registration>(hook: string, registration: R): Promise<R> {
    const changed = await askHook(hook, registration, { call: this.#call, context: this.context }).catch(
      (cause: unknown) => {
        throw forbidden(idOf(registration), `${hook} did not admit it`, cause);
      },
    );
    this.#requireGranted(changed);
    return this.#admitted(registration, changed);
  }

  #requireGranted(registration: Registration): void {
    const grants = this.#grants;
    const { kind } = registration;
    const isGranted =
      kind === 'function'
        ? grants.allow_function_registration
        : kind === 'trigger_type'
          ? grants.allow_trigger_type_registration
          : (grants.allowed_trigger_types?.includes(registration.triggerType) ?? true);
    if (!isGranted) throw this.#ungranted(kind, idOf(registration));
  }

  #ungranted(kind: Registration['kind'], id: string): GreenroomError {
    return forbidden(id, `the auth function of ${this.name} does not allow a ${kind}`);
  }

  /** Last, what the credential makes of it: no hook can leave its prefix or its patterns. */
  #admitted<R extends Registration>(given: R, changed: R): R {
    if (given.kind === 'trigger_type' || changed.kind === 'trigger_type') return this.#credential.admit(changed);
    const { functionId } = given;
    if (changed.kind === 'trigger') {
      const target =
        changed.functionId === functionId ? (this.#renamed.get(functionId) ?? functionId) : changed.functionId;
      return this.#credential.admit({ ...changed, functionId: target });
    }
    const admitted = this.#credential.admit(changed);
    this.#requireRoomFor(functionId, changed.functionId);
    return admitted;
  }

  #requireRoomFor(functionId: string, renamed: string): void {
    const other = this.#originals.get(renamed) ?? functionId;
    if (other !== functionId) throw forbidden(renamed, `the hook has given this id to another function`);
    if (renamed === functionId || this.#renamed.has(functionId)) return;
    if (this.#renamed.size >= this.maxFunctions) throw forbidden(renamed, `the hook has renamed too many functions`);
  }
}

function idOf(registration: Registration): string {
  return registration.kind === 'trigger_type' ? registration.triggerType : registration.functionId;
}
