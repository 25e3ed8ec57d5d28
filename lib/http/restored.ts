// The functions over HTTP that the store has, at the start of a runtime: registered as they were when a Backend did it, with the same
// looks at their URLs and secrets. Until one is, or when it is refused now (a name that is not found, a secret that is not set any more),
// something stands in for it: listed, replaced and deleted like any function, and a call of it tries once more.

import type { FunctionCall, FunctionOwner, FunctionServer, RegisteredFunction } from '../functions/function.ts';
import type { Functions } from '../functions/registry.ts';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { unpackLater } from '../protocol/packed.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { within } from '../protocol/waits.ts';
import type { FunctionRecord, Store } from '../store/store.ts';
import { RESTORE_WAIT_MS, RESTORES_AT_ONCE } from './bounds.ts';
import type { HttpFunctions } from './functions.ts';
import { readRegistration } from './registration.ts';
import type { Registration } from './registration.ts';

interface RestoringParts {
  readonly functions: Functions;
  readonly http: HttpFunctions;
  readonly limits: Limits;
  readonly log: Logger;
  readonly store: Pick<Store, 'functions'>;
  /** Of all of them. */
  readonly owner: FunctionOwner;
  /** Aborts when the runtime ends. */
  readonly signal: AbortSignal;
}

/**
 * Resolves when all are registered or refused, and after RESTORE_WAIT_MS at the latest; the others go on without anybody waiting for
 * them. A record that cannot be read, whose id is taken (by the options, an actor), or that is one too many, is a line in the log.
 */
export async function restoreFunctions(parts: RestoringParts): Promise<void> {
  const line: StandIn[] = [];
  for (const record of parts.store.functions()) {
    const standIn = await standInFor(record, parts);
    if (standIn !== null) line.push(standIn);
  }
  if (line.length === 0) return;
  const restoreNext = async (): Promise<void> => {
    for (let standIn = line.shift(); standIn !== undefined; standIn = line.shift()) {
      if (parts.signal.aborted) return;
      await standIn.restore().catch(ignoreLogged);
    }
  };
  const restored = Promise.all(Array.from({ length: RESTORES_AT_ONCE }, restoreNext));
  await within(RESTORE_WAIT_MS, [parts.signal], () => restored).catch(ignoreLogged);
}

async function standInFor({ functionId, document }: FunctionRecord, parts: RestoringParts): Promise<StandIn | null> {
  const { functions, owner, limits, log } = parts;
  try {
    const registration = readRegistration(functionId, decode(await unpackLater(document)));
    if (functions.get(functionId) !== undefined)
      throw GreenroomError.of('function_exists', { details: { function_id: functionId } });
    if (functions.countOf(owner) >= limits.maxFunctionsPerSource) throw GreenroomError.of('runtime_overloaded');
    return new StandIn(registration, parts);
  } catch (thrown) {
    warn(log, functionId, thrown);
    return null;
  }
}

class StandIn implements FunctionServer {
  readonly #parts: RestoringParts;
  readonly #registration: Registration;
  readonly #entry: RegisteredFunction | null;
  /** While it is tried, by the start or by a call; calls that come meanwhile wait for the same. */
  #trying: Promise<RegisteredFunction> | null = null;

  /** Throws what Functions.claim does. */
  constructor(registration: Registration, parts: RestoringParts) {
    this.#registration = registration;
    this.#parts = parts;
    // In the owner's own place: the group may not be to be had.
    const { owner, functions } = parts;
    this.#entry = functions.claim(owner, registration.spec.functionId).publish(registration.spec, { server: this });
  }

  /** Rejects as HttpFunctions.register does, which is logged, and with `function_not_found` when a Backend has replaced or deleted it. */
  restore(): Promise<RegisteredFunction> {
    return (this.#trying ??= this.#restore().finally(() => (this.#trying = null)));
  }

  /** Rejects with what refuses the function now, unless that has passed. */
  async serve(_fn: RegisteredFunction, call: FunctionCall): Promise<Payload> {
    const startedAtMs = performance.now();
    const { server, ...entry } = await within(call.timeoutMs, [call.signal], () => this.restore());
    const timeoutMs = Math.max(1, call.timeoutMs - (performance.now() - startedAtMs));
    return server.serve({ ...entry, server }, { ...call, timeoutMs });
  }

  async #restore(): Promise<RegisteredFunction> {
    const { functions, http, owner, log, signal } = this.#parts;
    const { spec, group, invocation } = this.#registration;
    const { functionId } = spec;
    const gone = (): GreenroomError => GreenroomError.of('function_not_found');
    if (functions.get(functionId) !== this.#entry) throw gone();
    try {
      const registered = await http.register({ owner, spec, invocation, reach: 'public', group }, signal);
      if (registered !== null) return registered;
    } catch (thrown) {
      warn(log, functionId, thrown);
      throw thrown;
    }
    throw gone();
  }
}

function warn(log: Logger, functionId: string, thrown: unknown): void {
  log.warn({ function_id: functionId, code: asGreenroomError(thrown).code }, 'a function of the store is refused');
}

/** For what has been logged where it happened, or will be. */
const ignoreLogged = (): void => undefined;
