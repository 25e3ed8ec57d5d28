// The one registry of functions, of every kind: who serves which id, found, listed and called here and nowhere else.
// An id belongs to the owner that registered it, until that owner gives it up or goes; nobody else can take or release it.
// A registration that has to ask somebody first claims its id: it is then published in one step, or given up without a trace.

import { GreenroomError } from '../errors.ts';
import { MAX_FUNCTION_ID_CHARS, MAX_PAGE_ITEMS } from '../limits.ts';
import { toPlainFormat } from './format.ts';
import { takeHint } from './hints.ts';
import { firstSegment, isEngineId } from '../protocol/function-ids.ts';
import type { FunctionQuery } from '../protocol/function-query.ts';
import type { Payload } from '../protocol/payload.ts';
import type { FunctionView } from '../protocol/views.ts';
import type {
  FunctionCall,
  FunctionOwner,
  FunctionServer,
  FunctionSpec,
  ListedWorker,
  RegisteredFunction,
} from './function.ts';
import type { Groups } from './groups.ts';

/** No white space at the ends, no control characters; the rest is the owner's choice. */
const FUNCTION_ID = new RegExp(`^(?!\\s)[^\\p{Cc}]{1,${MAX_FUNCTION_ID_CHARS}}(?<!\\s)$`, 'u');

/** How a function is served and listed, where its owner does not do both itself. */
export interface Placement {
  readonly server?: FunctionServer | undefined;
  /** The group that it belongs to. */
  readonly group?: string | undefined;
}

export interface Offered extends Placement {
  readonly spec: FunctionSpec;
}

/** The right to register one id, while nobody else can. */
export interface Claim {
  /**
   * Null when the owner has gone meanwhile: then nothing is registered. Replaces what the same owner had under the id. Throws, and
   * changes nothing, when the group is not to be had; see Groups.
   */
  publish(spec: FunctionSpec, placement?: Placement): RegisteredFunction | null;
  /** Gives the id up; what the owner had registered under it before goes on serving. */
  release(): void;
}

export class Functions {
  readonly #entries = new Map<string, RegisteredFunction>();
  /** Ids that are being registered. */
  readonly #claims = new Map<string, { readonly owner: FunctionOwner }>();
  readonly #idsOf = new Map<FunctionOwner, Set<string>>();
  readonly #listeners = new Set<() => void>();
  /** How many functions each worker of the listings has. */
  readonly #listed = new Map<ListedWorker, number>();
  readonly #groups: Groups | null;
  /** Ids in order; null after a change. */
  #sorted: readonly string[] | null = null;

  /** Without groups nothing can be put into one. */
  constructor(groups: Groups | null = null) {
    this.#groups = groups;
  }

  /** Throws `function_exists` when the id is another owner's, `invalid_request` when it is no id. */
  claim(owner: FunctionOwner, functionId: string): Claim {
    requireFunctionId(functionId, owner);
    const holder = this.#claims.get(functionId)?.owner ?? this.#entries.get(functionId)?.owner;
    if (holder !== undefined && holder !== owner) {
      throw GreenroomError.of('function_exists', { details: { function_id: functionId } });
    }
    const claim = { owner };
    this.#claims.set(functionId, claim);
    const end = (): boolean => this.#claims.get(functionId) === claim && this.#claims.delete(functionId);
    return {
      publish: (spec, placement) => {
        if (!end()) return null;
        const entry = this.#publish(owner, { spec, ...placement });
        this.#changed();
        return entry;
      },
      release: () => void end(),
    };
  }

  /** Registers a function that needs nobody's leave. Throws as `claim` does. */
  register(owner: FunctionOwner, spec: FunctionSpec): RegisteredFunction {
    return this.claim(owner, spec.functionId).publish(spec) as RegisteredFunction;
  }

  /**
   * Makes these all that the owner has, in one step: nobody sees a part of it, and calls that are under way end where they began.
   * Throws as `claim` does for any of them, or for the group, and then nothing has changed.
   */
  replaceAll(owner: FunctionOwner, offered: readonly Offered[]): void {
    this.requireReplaceable(owner, offered);
    const kept = new Set(offered.map(({ spec }) => spec.functionId));
    const gone = [...(this.#idsOf.get(owner) ?? [])].filter((functionId) => !kept.has(functionId));
    // The new ones first: a group that keeps a member lives on.
    for (const each of offered) this.#publish(owner, each);
    for (const functionId of gone) this.#withdraw(functionId);
    this.#changed();
  }

  /** Throws as `replaceAll` does, and changes nothing. */
  requireReplaceable(owner: FunctionOwner, offered: readonly Offered[]): void {
    for (const { spec } of offered) this.claim(owner, spec.functionId).release();
    for (const group of new Set(offered.map((each) => each.group)))
      if (group !== undefined) this.requireGroup(owner, group);
  }

  /** Throws `invalid_request` or `worker_exists` when the owner cannot have functions in a group of that name. */
  requireGroup(owner: FunctionOwner, group: string): void {
    this.#requireGroups().requireFree(group, owner);
  }

  /** False when the id is not, or no longer, this owner's. */
  release(owner: FunctionOwner, functionId: string): boolean {
    if (this.#claims.get(functionId)?.owner === owner) this.#claims.delete(functionId);
    if (this.#entries.get(functionId)?.owner !== owner) return false;
    this.#withdraw(functionId);
    this.#changed();
    return true;
  }

  /** Everything that the owner has registered or is registering. */
  releaseAll(owner: FunctionOwner): void {
    for (const [functionId, claim] of this.#claims) if (claim.owner === owner) this.#claims.delete(functionId);
    const ids = this.#idsOf.get(owner);
    if (ids === undefined) return;
    for (const functionId of [...ids]) this.#withdraw(functionId);
    this.#changed();
  }

  get size(): number {
    return this.#entries.size;
  }

  get(functionId: string): RegisteredFunction | undefined {
    return this.#entries.get(functionId);
  }

  /** Throws `function_not_found`. */
  require(functionId: string): RegisteredFunction {
    const found = this.#entries.get(functionId);
    if (found === undefined) throw functionNotFound(functionId);
    return found;
  }

  /** Rejects with `function_not_found`, or with what its owner's `serve` rejects with. */
  call(functionId: string, call: FunctionCall): Promise<Payload> {
    const found = this.#entries.get(functionId);
    // Not async: a promise around the owner's costs every call three turns of the microtask queue.
    return found === undefined ? Promise.reject(functionNotFound(functionId)) : found.server.serve(found, call);
  }

  /** How many an owner has registered, in groups or not. */
  countOf(owner: FunctionOwner): number {
    return this.#idsOf.get(owner)?.size ?? 0;
  }

  /** How many are shown as a worker's. */
  countListed(worker: ListedWorker): number {
    return this.#listed.get(worker) ?? 0;
  }

  /** Ascending by id, in code unit order. */
  *of(owner: FunctionOwner): Generator<RegisteredFunction> {
    for (const functionId of [...(this.#idsOf.get(owner) ?? [])].sort()) {
      yield this.#entries.get(functionId) as RegisteredFunction;
    }
  }

  /** All of them, ascending by id. */
  *values(): Generator<RegisteredFunction> {
    this.#sorted ??= [...this.#entries.keys()].sort();
    for (const functionId of this.#sorted) yield this.#entries.get(functionId) as RegisteredFunction;
  }

  list(query: FunctionQuery = {}): { functions: FunctionView[]; nextAfter: string | null } {
    const limit = Math.min(query.limit ?? 100, MAX_PAGE_ITEMS);
    const functions: FunctionView[] = [];
    for (const found of this.values()) {
      if (query.after !== undefined && found.functionId <= query.after) continue;
      if (!matches(found, query)) continue;
      if (functions.length === limit) return { functions, nextAfter: functions.at(-1)?.functionId ?? null };
      functions.push(functionView(found));
    }
    return { functions, nextAfter: null };
  }

  /** Called after each change of what is registered; hands back how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #publish(owner: FunctionOwner, { spec, server = owner, group }: Offered): RegisteredFunction {
    const worker = group === undefined ? owner : this.#requireGroups().join(group, owner);
    const { metadata } = takeHint(spec.metadata);
    const entry: RegisteredFunction = Object.freeze({ ...spec, metadata, owner, server, worker });
    const before = this.#entries.get(spec.functionId);
    this.#entries.set(spec.functionId, entry);
    const ids = this.#idsOf.get(owner) ?? new Set();
    this.#idsOf.set(owner, ids.add(spec.functionId));
    // Counted before what it replaces is not: a group whose only member is registered again lives on.
    this.#count(worker, 1);
    if (before !== undefined) this.#count(before.worker, -1);
    return entry;
  }

  #withdraw(functionId: string): void {
    const { owner, worker } = this.#entries.get(functionId) as RegisteredFunction;
    this.#entries.delete(functionId);
    const ids = this.#idsOf.get(owner);
    ids?.delete(functionId);
    if (ids?.size === 0) this.#idsOf.delete(owner);
    this.#count(worker, -1);
  }

  #count(worker: ListedWorker, by: 1 | -1): void {
    const count = (this.#listed.get(worker) ?? 0) + by;
    if (count > 0) this.#listed.set(worker, count);
    else {
      this.#listed.delete(worker);
      this.#groups?.leave(worker);
    }
  }

  #requireGroups(): Groups {
    if (this.#groups === null)
      throw GreenroomError.of('unsupported_operation', { message: 'There are no groups here.' });
    return this.#groups;
  }

  #changed(): void {
    this.#sorted = null;
    for (const listener of this.#listeners) listener();
  }
}

export function functionNotFound(functionId: string): GreenroomError {
  const shown = functionId.slice(0, MAX_FUNCTION_ID_CHARS);
  return GreenroomError.of('function_not_found', { message: `Function ${shown} not found` });
}

/** Hidden from listings unless they are asked for. */
export function isInternal({ functionId, metadata }: FunctionSpec): boolean {
  return isEngineId(functionId) || (metadata as { internal?: unknown } | null | undefined)?.internal === true;
}

/** What callers see of a function. */
export function functionView({ worker, ...spec }: RegisteredFunction): FunctionView {
  const { functionId, description, requestFormat, responseFormat, metadata } = spec;
  return {
    functionId,
    origin: worker.origin,
    workerId: worker.ownerId,
    workerName: worker.name ?? firstSegment(functionId),
    description,
    requestFormat: toPlainFormat(requestFormat),
    responseFormat: toPlainFormat(responseFormat),
    metadata: metadata ?? null,
  };
}

function matches(found: RegisteredFunction, { search, worker, includeInternal = false }: FunctionQuery): boolean {
  if (!includeInternal && isInternal(found)) return false;
  if (worker !== undefined && found.worker.ownerId !== worker && found.worker.name !== worker) return false;
  if (search === undefined) return true;
  const term = search.toLowerCase();
  return found.functionId.toLowerCase().includes(term) || (found.description?.toLowerCase().includes(term) ?? false);
}

export function isFunctionId(text: string): boolean {
  return FUNCTION_ID.test(text);
}

function requireFunctionId(functionId: string, owner: FunctionOwner): void {
  const message = !isFunctionId(functionId)
    ? `expected 1 to ${MAX_FUNCTION_ID_CHARS} characters without control characters or white space at the ends`
    : isEngineId(functionId) && owner.origin !== 'runtime'
      ? "ids that begin with engine:: are the runtime's"
      : undefined;
  if (message === undefined) return;
  throw GreenroomError.of('invalid_request', { details: { issues: [{ path: 'function_id', message }] } });
}
