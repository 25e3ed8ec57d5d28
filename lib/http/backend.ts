// The functions over HTTP that a Backend registers: over REST, embedded, or in the file. All of them are of one owner, which lives as long
// as the runtime; they are listed in the group `http` unless they name another.

import * as v from 'valibot';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { FunctionOwner, RegisteredFunction } from '../functions/function.ts';
import type { Functions } from '../functions/registry.ts';
import type { Limits } from '../limits.ts';
import { MAX_REGISTRATION_BYTES } from '../limits.ts';
import { decode, encode, isObject, payloadBytes, requireSize } from '../protocol/payload.ts';
import { invalidRequest, problemsOf, requireValid } from '../protocol/issues.ts';
import { definitionEntries } from './definition.ts';
import type { HttpFunctions } from './functions.ts';

const NAME = 'http';

/** A HttpFunctionDocument: the body of `PUT /v1/functions/{id}`. */
export const HttpFunctionBody = v.strictObject({
  ...definitionEntries,
  description: v.nullish(v.string()),
  /** JSON Schema. */
  request_format: v.nullish(v.unknown()),
  response_format: v.nullish(v.unknown()),
  metadata: v.nullish(v.unknown()),
  /** Default `http`. */
  group: v.nullish(v.string()),
});

interface BackendParts {
  readonly functions: Functions;
  readonly http: HttpFunctions;
  readonly limits: Limits;
}

export class BackendFunctions {
  readonly #parts: BackendParts;
  readonly #owner: FunctionOwner = {
    ownerId: NAME,
    name: NAME,
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
   * when another request for the id came meanwhile.
   */
  async register(
    functionId: string,
    document: unknown,
    signal?: AbortSignal,
  ): Promise<{ readonly registered: RegisteredFunction; readonly isNew: boolean }> {
    const { spec, group, invocation } = readRegistration(functionId, document);
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

  /** Calls under way go on. Throws `function_not_found`, `unsupported_operation` for a function that no Backend has registered. */
  unregister(functionId: string): RegisteredFunction {
    const { functions } = this.#parts;
    const found = functions.require(functionId);
    if (found.owner !== this.#owner) {
      const message = 'This function is registered by an actor, a remote or a source, and ends with it.';
      throw GreenroomError.of('unsupported_operation', { message });
    }
    functions.release(this.#owner, functionId);
    return found;
  }

  /** Those of the options. Rejects with `invalid_option`, which says which one, and why. */
  async registerAll(documents: unknown): Promise<void> {
    if (!isObject(documents)) throw invalidOption('functions must be an object of functions by their ids');
    for (const [functionId, document] of Object.entries(documents)) {
      try {
        await this.register(functionId, document);
      } catch (thrown) {
        throw invalidOption(`functions[${JSON.stringify(functionId)}]: ${problemOf(thrown)}`, thrown);
      }
    }
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

/** A copy of the document, so that whoever gave it cannot change it afterwards. Throws `invalid_request` or `payload_too_large`. */
function readRegistration(functionId: string, document: unknown) {
  if (!isObject(document)) throw invalidRequest('', 'expected an object');
  const text = encode(document);
  requireSize(payloadBytes(text), MAX_REGISTRATION_BYTES, 'config');
  const {
    description,
    request_format: requestFormat,
    response_format: responseFormat,
    metadata,
    group,
    ...invocation
  } = requireValid(HttpFunctionBody, decode(text), 'invalid_request');
  const formats = { requestFormat: requestFormat ?? undefined, responseFormat: responseFormat ?? undefined };
  const spec = { functionId, description: description ?? null, ...formats, metadata: metadata ?? undefined };
  return { spec, group: group ?? NAME, invocation };
}

function problemOf(thrown: unknown): string {
  const error = asGreenroomError(thrown);
  return problemsOf(error).join(', ') || error.message;
}

function invalidOption(message: string, cause?: unknown): GreenroomError {
  return GreenroomError.of('invalid_option', { message, details: { option: 'functions' }, cause });
}
