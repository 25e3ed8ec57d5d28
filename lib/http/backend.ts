// The functions over HTTP that a Backend registers: over REST, embedded, or in the file. All of them are of one owner, which lives as long
// as the runtime; they are listed in the group `http` unless they name another. Those of the file are made anew by every start; the
// others outlive the process in the store, and no answer says that one is registered, or gone, before the store has kept it.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { FunctionOwner, RegisteredFunction } from '../functions/function.ts';
import type { Functions } from '../functions/registry.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { problemsOf } from '../protocol/issues.ts';
import { packLater } from '../protocol/packed.ts';
import { isObject } from '../protocol/payload.ts';
import type { Store } from '../store/store.ts';
import type { HttpFunctions } from './functions.ts';
import { DEFAULT_GROUP, readRegistration } from './registration.ts';
import type { Registration } from './registration.ts';
import { restoreFunctions } from './restored.ts';

export interface BackendParts {
  readonly functions: Functions;
  readonly http: HttpFunctions;
  readonly limits: Limits;
  readonly log: Logger;
  readonly store: Pick<Store, 'functions' | 'putFunction' | 'deleteFunction' | 'committed' | 'trouble'>;
}

export class BackendFunctions {
  readonly #parts: BackendParts;
  readonly #owner: FunctionOwner = {
    ownerId: DEFAULT_GROUP,
    name: DEFAULT_GROUP,
    origin: 'group',
    // Each of its functions has a server of its own.
    serve: () => Promise.reject(GreenroomError.of('invocation_failed')),
  };
  /** Ids that are being registered for the first time; they count. */
  readonly #coming = new Set<string>();

  constructor(parts: BackendParts) {
    this.#parts = parts;
  }

  /**
   * Registers a function, or replaces the one that a Backend has registered under the id. Rejects with what HttpFunctions.register does,
   * `payload_too_large` for a document above 256 KiB, `runtime_overloaded` when there are `maxFunctionsPerSource`, and `function_exists`
   * when another request for the id came meanwhile; then nothing has changed. Rejects with `runtime_unavailable` while the store cannot
   * write: if that began after the function was registered, it serves, and whether it will be there after a restart is not known.
   */
  async register(
    functionId: string,
    document: unknown,
    signal?: AbortSignal,
  ): Promise<{ readonly registered: RegisteredFunction; readonly isNew: boolean }> {
    const { functions, store } = this.#parts;
    requireWritable(store);
    const registration = readRegistration(functionId, document);
    // Before, so that what is registered is given to the store at once, in the order of the registrations.
    const packed = await packLater(registration.text);
    const done = await this.#register(registration, signal);
    // Another request may have replaced it, or taken it back, already: then what that one gives to the store stands.
    if (functions.get(functionId) === done.registered) store.putFunction({ functionId, document: packed });
    await store.committed();
    return done;
  }

  /**
   * Calls under way go on. Rejects with `function_not_found`, `unsupported_operation` for a function that no Backend has registered, and
   * `runtime_unavailable` while the store cannot write; if that began meanwhile, the function is gone, perhaps only until a restart.
   */
  async unregister(functionId: string): Promise<RegisteredFunction> {
    const { functions, store } = this.#parts;
    const found = functions.require(functionId);
    if (found.owner !== this.#owner) {
      const message = 'This function is registered by an actor, a remote or a source, and ends with it.';
      throw GreenroomError.of('unsupported_operation', { message });
    }
    requireWritable(store);
    functions.release(this.#owner, functionId);
    store.deleteFunction(functionId);
    await store.committed();
    return found;
  }

  /**
   * Makes the functions of the options, and those of the store that the options do not have. Rejects with `invalid_option` for one of the
   * options, which says which one, and why; see restoreFunctions for one of the store. The signal ends what is not made by then.
   */
  async open(documents: unknown, signal: AbortSignal): Promise<void> {
    await this.#registerAll(documents);
    await restoreFunctions({ ...this.#parts, owner: this.#owner, signal });
  }

  async #registerAll(documents: unknown): Promise<void> {
    if (!isObject(documents)) throw invalidOption('functions must be an object of functions by their ids');
    for (const [functionId, document] of Object.entries(documents)) {
      try {
        await this.#register(readRegistration(functionId, document));
      } catch (thrown) {
        throw invalidOption(`functions[${JSON.stringify(functionId)}]: ${problemOf(thrown)}`, thrown);
      }
    }
  }

  async #register(
    { spec, group, invocation }: Registration,
    signal?: AbortSignal,
  ): Promise<{ readonly registered: RegisteredFunction; readonly isNew: boolean }> {
    const { functionId } = spec;
    const isNew = this.#parts.functions.get(functionId)?.owner !== this.#owner;
    if (isNew) this.#requireRoom(functionId);
    try {
      const owner = this.#owner;
      const registered = await this.#parts.http.register({ owner, spec, invocation, reach: 'public', group }, signal);
      if (registered !== null) return { registered, isNew };
    } finally {
      if (isNew) this.#coming.delete(functionId);
    }
    const message = 'Another request has registered or deleted this function meanwhile.';
    throw GreenroomError.of('function_exists', { message, details: { function_id: functionId } });
  }

  #requireRoom(functionId: string): void {
    const { functions, limits } = this.#parts;
    const { maxFunctionsPerSource } = limits;
    if (functions.countOf(this.#owner) + this.#coming.size >= maxFunctionsPerSource) {
      const message = 'As many functions over HTTP are registered as may be.';
      throw GreenroomError.of('runtime_overloaded', { message, details: { max_functions: maxFunctionsPerSource } });
    }
    this.#coming.add(functionId);
  }
}

/** What could not be kept should not be begun. */
function requireWritable({ trouble }: Pick<Store, 'trouble'>): void {
  if (trouble !== null) throw trouble;
}

function problemOf(thrown: unknown): string {
  const error = asGreenroomError(thrown);
  return problemsOf(error).join(', ') || error.message;
}

function invalidOption(message: string, cause?: unknown): GreenroomError {
  return GreenroomError.of('invalid_option', { message, details: { option: 'functions' }, cause });
}
