// From a request to a new worker: what is checked, and what a million of them share.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { v7 as uuidv7 } from 'uuid';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { epochNow } from '../protocol/clock.ts';
import { requireValid } from '../protocol/issues.ts';
import { Slices } from '../protocol/slices.ts';
import { decode, encode, payloadBytes, requireSize } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Store } from '../store/store.ts';
import type { Actor, Catalog } from './catalog.ts';
import type { Directory } from './directory.ts';
import { requireWorkerId } from './directory.ts';
import { COMMANDS, requireEffect } from './states.ts';
import { Worker } from './worker.ts';

export interface CreateRequest {
  readonly kind: string;
  /** Default: a UUIDv7. */
  readonly workerId?: string | undefined;
  /** Default: an empty object. */
  readonly config?: unknown;
  readonly displayName?: string | undefined;
}

/** What became of one of many requests. */
export type Created =
  { readonly workerId: string; readonly error: null } | { readonly workerId: null; readonly error: GreenroomError };

/** Texts of an actor that its workers share. Copies of them were 88 of the 440 bytes of an idle worker. */
interface Shared {
  /** Data of the `created` entry of a worker without a display name and a parent. */
  readonly created: string;
  /** Small configs that were accepted before: they are not checked again. */
  readonly configs: Map<string, string>;
}

/** Configs beyond these bounds are not likely to come again. */
const SHARED_CONFIGS = 256;
const SHARED_CONFIG_CHARS = 1_024;
/** Workers that are made before it is told that the first of them is kept: one commit for all of them. */
const CREATED_AHEAD = 512;

export class Creation {
  readonly #limits: Limits;
  readonly #catalog: Catalog;
  readonly #store: Store;
  readonly #directory: Directory<Worker>;
  readonly #requireRunning: () => void;
  readonly #shared = new Map<Actor, Shared>();

  /** `requireRunning` throws `runtime_unavailable` if the runtime takes no work. */
  constructor(
    limits: Limits,
    catalog: Catalog,
    store: Store,
    directory: Directory<Worker>,
    requireRunning: () => void,
  ) {
    this.#limits = limits;
    this.#catalog = catalog;
    this.#store = store;
    this.#directory = directory;
    this.#requireRunning = requireRunning;
  }

  /**
   * The worker that the request asks for, which may be there already, whoever has created it. A new one has the given status and no host
   * yet, and is the child of the worker that asks. Throws `worker_stopping`, `worker_stopped` or `worker_failed` if that one takes no inputs.
   */
  one(
    request: CreateRequest,
    status: 'starting' | 'hibernated',
    parentId: string | null = null,
  ): { worker: Worker; created: boolean } {
    this.#requireRunning();
    requireShape(request);
    const actor = this.#catalog.require(request.kind);
    const workerId = request.workerId === undefined ? uuidv7() : requireWorkerId(request.workerId);
    const config = encode(request.config ?? {});
    requireSize(payloadBytes(config), this.#limits.maxMessageBytes, 'config');
    const displayName = request.displayName ?? null;
    // A new UUID is nobody's, and need not be looked for on disk.
    const existing = request.workerId === undefined ? undefined : this.#directory.get(workerId);
    if (existing !== undefined) {
      requireSameRequest(existing, request.kind, config, displayName);
      return { worker: existing, created: false };
    }
    this.#directory.requireNoPeer(workerId);
    // What is stopped with its children must not get more of them.
    if (parentId !== null) requireEffect(COMMANDS.input[this.#directory.require(parentId).status], 'accept');
    const shared = this.#sharedBy(actor);
    const accepted = shared.configs.get(config) ?? this.#accept(actor, config, shared);
    if (this.#directory.size >= this.#limits.maxWorkers) {
      throw GreenroomError.of('runtime_overloaded', {
        details: { max_workers: this.#limits.maxWorkers, retry_after_ms: 1_000 },
      });
    }
    const createdAtMs = epochNow();
    const record = {
      workerId,
      kind: actor.kind,
      displayName,
      config: accepted,
      createdAtMs,
      state: null,
      parentId,
    };
    const worker = new Worker(actor, this.#store.create(record), status, this.#store.inputIdPrefix);
    actor.population.add(status);
    const isPlain = displayName === null && parentId === null;
    const created = isPlain ? shared.created : createdEntry(actor, displayName, parentId);
    worker.store.append('created', createdAtMs, 0, created);
    this.#directory.add(worker);
    return { worker, created: true };
  }

  /**
   * The worker that serves a function of the kind: the named one, else the one whose id is the kind. That one is made if it is not
   * there, hibernated, with an empty config. Throws what `one` does; `worker_not_found` or `unsupported_operation` for a name
   * that is not a worker's of this kind.
   */
  serving(kind: string, workerId: string | null): Worker {
    if (workerId === null) {
      const own = this.#directory.get(kind);
      return own?.kind === kind ? own : this.one({ kind, workerId: kind }, 'hibernated').worker;
    }
    const named = this.#directory.require(workerId);
    if (named.kind === kind) return named;
    throw GreenroomError.of('worker_not_found', { message: `Worker ${workerId} is not of the kind ${kind}.` });
  }

  /**
   * One worker after the other, without starting any. An outcome is told when the worker is kept: with a durable store the next requests
   * are taken meanwhile, up to CREATED_AHEAD. The event loop gets a turn every SLICE_MS, so that timers and sockets go on while a
   * million workers are made.
   */
  async *many(
    requests: Iterable<CreateRequest> | AsyncIterable<CreateRequest>,
  ): AsyncGenerator<Created, void, undefined> {
    if (!isIterable(requests))
      throw GreenroomError.of('invalid_request', { message: 'The requests are not iterable.' });
    if (this.#store.isDurable) return yield* this.#manyKept(requests);
    const slices = new Slices();
    for await (const request of requests) {
      yield this.#outcomeOf(request);
      if (slices.isOver) await slices.next();
    }
  }

  async *#manyKept(requests: Iterable<CreateRequest> | AsyncIterable<CreateRequest>): AsyncGenerator<Created, void> {
    const iterator = iteratorOf(requests);
    let next = stepOf(iterator);
    let isOver = false;
    try {
      while (!isOver) {
        const made: Created[] = [];
        let step: Step | undefined = await next;
        // What comes within this turn goes with it. No longer: whoever gives the requests may wait for the outcomes.
        const turn = nextTurn(undefined);
        while (step?.type === 'request') {
          made.push(this.#outcomeOf(step.request));
          next = stepOf(iterator);
          step = made.length < CREATED_AHEAD ? await Promise.race([next, turn]) : undefined;
        }
        isOver = step !== undefined;
        yield* await this.#kept(made);
        if (step?.type === 'thrown') throw step.thrown;
      }
    } finally {
      // Whoever gives the requests may be waiting for an outcome that nobody asks for any more: then they do not end.
      if (!isOver) await Promise.race([iterator.return().catch(() => undefined), nextTurn()]);
    }
  }

  /** What became of them, once the store has them. */
  async #kept(made: readonly Created[]): Promise<readonly Created[]> {
    try {
      await this.#store.committed();
      return made;
    } catch (thrown) {
      const error = asGreenroomError(thrown);
      return made.map((one) => (one.error === null ? { workerId: null, error } : one));
    }
  }

  #outcomeOf(request: CreateRequest): Created {
    try {
      return { workerId: this.one(request, 'hibernated').worker.workerId, error: null };
    } catch (thrown) {
      return { workerId: null, error: asGreenroomError(thrown) };
    }
  }

  /** Throws `invalid_request`. */
  #accept(actor: Actor, config: string, shared: Shared): string {
    if (actor.definition.config !== undefined)
      requireValid(actor.definition.config, decode(config), 'invalid_request', 'config');
    if (config.length <= SHARED_CONFIG_CHARS && shared.configs.size < SHARED_CONFIGS)
      shared.configs.set(config, config);
    return config;
  }

  #sharedBy(actor: Actor): Shared {
    let shared = this.#shared.get(actor);
    if (shared === undefined) {
      shared = { created: createdEntry(actor, null, null), configs: new Map() };
      this.#shared.set(actor, shared);
    }
    return shared;
  }
}

/** Callers without types get an answer too. Throws `invalid_request`. */
function requireShape(request: CreateRequest): void {
  const { kind, workerId = '', displayName = '' } = (request ?? {}) as Partial<Record<keyof CreateRequest, unknown>>;
  if (typeof kind === 'string' && typeof workerId === 'string' && typeof (displayName ?? '') === 'string') return;
  throw GreenroomError.of('invalid_request', {
    message: 'A request needs a kind, and its kind, workerId and displayName are texts.',
  });
}

function isIterable(requests: unknown): boolean {
  const { [Symbol.iterator]: each, [Symbol.asyncIterator]: eachLater } = Object(requests) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >;
  return each !== undefined || eachLater !== undefined;
}

/** Never rejects: what the requests throw is told in its turn, after what was made before. */
type Step =
  | { readonly type: 'request'; readonly request: CreateRequest }
  | { readonly type: 'done' }
  | { readonly type: 'thrown'; readonly thrown: unknown };

async function stepOf(iterator: AsyncGenerator<CreateRequest, void>): Promise<Step> {
  try {
    const result = await iterator.next();
    return result.done === true ? { type: 'done' } : { type: 'request', request: result.value };
  } catch (thrown) {
    return { type: 'thrown', thrown };
  }
}

async function* iteratorOf<T>(iterable: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T, void> {
  yield* iterable;
}

function createdEntry(actor: Actor, displayName: string | null, parentId: string | null): string {
  return JSON.stringify({
    kind: actor.kind,
    display_name: displayName,
    ...(parentId !== null && { parent_id: parentId }),
  });
}

function requireSameRequest(worker: Worker, kind: string, config: Payload, displayName: string | null): void {
  const isSame =
    worker.kind === kind &&
    worker.displayName === displayName &&
    (worker.config === config || isDeepStrictEqual(decode(worker.config), decode(config)));
  if (!isSame) throw GreenroomError.of('worker_exists');
}
