// What a store must do that outlives its process: everything in `storeContract`, and this.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ISOLATIONS } from '../../lib/protocol/views.ts';
import type { Payload } from '../../lib/protocol/payload.ts';
import type {
  Rest,
  Store,
  StoredTimer,
  StoredInput,
  StoreEvents,
  TranscriptBounds,
  WorkerStore,
} from '../../lib/store/store.ts';
import { seeded } from '../support/seeded.ts';
import { deadLetterOf } from './store-families.ts';
import { Model, ModelWorker, viewOfStore } from './store-model.ts';
import type { Questions } from './store-model.ts';

/** A place where a store is kept, from its first opening to its end. */
export interface StorePlace {
  open(bounds: TranscriptBounds): Promise<Store>;
  /** A copy of what is on disk at this moment, as a crash would leave it. Called when nothing is being written. */
  crashCopy(): StorePlace;
}

const BOUNDS: TranscriptBounds = { maxEntries: 7, maxBytes: 1_000_000, maxAgeMs: Number.MAX_SAFE_INTEGER };
const IDS = ['a', 'a.b', 'b', 'c'];
const KEYS = ['k1', 'k2', 'ä'];

const idOf = fc.integer({ min: 0, max: IDS.length - 1 });
const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }).map((text) => JSON.stringify(text)),
  fc.nat().map(String),
  fc.constant(JSON.stringify('x'.repeat(3_000))),
  fc.nat().map((n) => new TextEncoder().encode(`[${n}]`)),
);

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('create' as const),
      id: idOf,
      payload,
      parentId: fc.option(fc.constantFrom(...IDS), { freq: 3 }),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('accept' as const),
      id: idOf,
      payload,
      key: fc.option(fc.constantFrom(...KEYS), { freq: 2 }),
      isVolatile: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('start' as const), id: idOf }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('end' as const), id: idOf, payload, isGood: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('state' as const), id: idOf, payload, version: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('rest' as const),
      id: idOf,
      rest: fc.constantFrom<Rest>('hibernated', 'stopped', 'failed'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), id: idOf, payload }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('timer' as const),
      id: idOf,
      timerId: fc.nat(2),
      dueAtMs: fc.nat(99),
      name: fc.constantFrom('t', 'ä'),
      lastSeq: fc.nat(9),
      repeat: fc.constantFrom<StoredTimer['repeat']>(null, 1_000, { cron: '0 9 * * *', timeZone: 'UTC' }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('noTimer' as const), id: idOf, timerId: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('isolation' as const),
      id: idOf,
      isolation: fc.constantFrom(null, ...ISOLATIONS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('deadLetter' as const), n: fc.nat(3), payload, isGone: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), id: idOf }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('record' as const),
      name: fc.constantFrom('r', 'R', '😀'),
      document: fc.option(fc.string({ maxLength: 20 })),
      isSource: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('commit' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unload' as const), id: idOf }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type WorkerStep = Exclude<Step, { do: 'commit' | 'reopen' | 'crash' | 'record' | 'create' | 'deadLetter' }>;

const byNumber = (timers: Iterable<StoredTimer>) => [...timers].sort((a, b) => a.timerId - b.timerId);

/** A store, the model of it, and what happens to both. */
class Run {
  #place: StorePlace;
  #store: Store;
  readonly #model = new Model();
  readonly #held = new Map<string, WorkerStore>();
  readonly #open = new Map<string, StoredInput[]>();
  readonly #given: number[] = [];
  readonly #told: string[] = [];
  readonly #expected: string[] = [];
  readonly #toldAtOnce: string[] = [];
  readonly #expectedAtOnce: string[] = [];
  #nextSeq: number;

  private constructor(place: StorePlace, store: Store) {
    this.#place = place;
    this.#store = store;
    this.#nextSeq = store.firstSeq;
    this.#connect();
  }

  static async begin(place: StorePlace): Promise<Run> {
    return new Run(place, await place.open(BOUNDS));
  }

  async end(): Promise<void> {
    await this.#check();
    await this.#store.close();
  }

  async take(taken: Step): Promise<void> {
    if (taken.do === 'commit') await this.#check();
    else if (taken.do === 'reopen') {
      await this.#check();
      await this.#store.close();
      await this.#openAgain(this.#place);
    } else if (taken.do === 'crash') {
      await this.#store.committed();
      const copy = this.#place.crashCopy();
      await this.#store.close();
      await this.#openAgain(copy);
    } else if (taken.do === 'record') this.#record(taken.name, taken.document, taken.isSource);
    else if (taken.do === 'create') this.#create(IDS[taken.id] as string, taken.payload, taken.parentId);
    else if (taken.do === 'deadLetter') this.#deadLetter(`x-${taken.n}`, taken.payload, taken.isGone);
    else this.#takeForWorker(taken, IDS[taken.id] as string);
  }

  // --- private ---

  #connect(): void {
    const tell = (event: string, { isVolatile }: StoredInput) =>
      (isVolatile ? this.#toldAtOnce : this.#told).push(event);
    const events: StoreEvents = {
      accepted: (input) => tell(`accepted ${input.seq}`, input),
      refused: (input) => tell(`refused ${input.seq}`, input),
      started: (input) => tell(`started ${input.seq}`, input),
      ended: (input, { outcome }) => tell(`ended ${input.seq} ${outcome}`, input),
    };
    this.#store.connect(events);
  }

  get #questions(): Questions {
    return { seqs: this.#given, keys: KEYS, parents: IDS };
  }

  async #check(): Promise<void> {
    await this.#store.committed();
    const view = viewOfStore(this.#store, this.#questions, (workerId) => this.#held.has(workerId));
    assert.deepEqual(view, this.#model.view(this.#questions));
    assert.deepEqual([this.#told, this.#toldAtOnce], [this.#expected, this.#expectedAtOnce]);
  }

  async #openAgain(place: StorePlace): Promise<void> {
    const { inputIdPrefix } = this.#store;
    this.#place = place;
    this.#store = await place.open(BOUNDS);
    this.#connect();
    assert.equal(this.#store.inputIdPrefix, inputIdPrefix);
    assert.ok(this.#store.firstSeq >= this.#nextSeq, 'numbers are never given again');
    this.#nextSeq = this.#store.firstSeq;
    assert.deepEqual([...this.#store.waiting()], this.#model.view(this.#questions).waiting);
    this.#held.clear();
    this.#open.clear();
    for (const [workerId, worker] of this.#model.workers) this.#open.set(workerId, [...worker.open.values()]);
    await this.#check();
  }

  #record(name: string, document: string | null, isSource: boolean): void {
    const records = isSource ? this.#model.sources : this.#model.functions;
    if (document === null) records.delete(name);
    else records.set(name, document);
    if (document === null) {
      if (isSource) this.#store.deleteSource(name);
      else this.#store.deleteFunction(name);
    } else if (isSource) this.#store.putSource({ name, document, isFromOperator: false });
    else this.#store.putFunction({ functionId: name, document });
  }

  #create(workerId: string, config: Payload, parentId: string | null): void {
    if (this.#model.workers.has(workerId)) return;
    const record = {
      workerId,
      kind: `kind of ${workerId.slice(0, 1)}`,
      displayName: workerId === 'b' ? 'B ä' : null,
      config,
      createdAtMs: 1_700_000_000_000,
      state: workerId === 'c' ? '"first"' : null,
      parentId,
    };
    this.#model.workers.set(workerId, new ModelWorker(record, BOUNDS.maxEntries));
    this.#held.set(workerId, this.#store.create(record));
    this.#open.set(workerId, []);
  }

  #deadLetter(inputId: string, data: Payload, isGone: boolean): void {
    const others = this.#model.deadLetters.filter((letter) => letter.inputId !== inputId);
    const letter = deadLetterOf(inputId, { payload: data });
    this.#model.deadLetters = isGone ? others : [...others, letter];
    if (isGone) this.#store.deleteDeadLetter(inputId);
    else this.#store.putDeadLetter(letter);
  }

  #takeForWorker(taken: WorkerStep, id: string): void {
    const model = this.#model.workers.get(id);
    if (model === undefined) return;
    const worker = this.#held.get(id) ?? this.#store.find(id);
    assert.ok(worker !== undefined, `${id} is found`);
    this.#held.set(id, worker);
    const both = [model, worker];
    switch (taken.do) {
      case 'accept':
        return this.#accept(id, both, taken);
      case 'start':
        return this.#start(id, both);
      case 'end':
        return this.#end(id, both, taken.isGood ? taken.payload : null);
      case 'state':
        model.state = taken.payload;
        model.stateVersion = taken.version;
        return worker.saveState(taken.payload, taken.version);
      case 'rest':
        model.rest = taken.rest;
        model.failure =
          taken.rest === 'failed' ? { code: 'actor_error', message: 'x', retryable: false, details: { n: 1 } } : null;
        return worker.saveRest(model.rest, model.failure);
      case 'isolation':
        model.isolation = taken.isolation;
        return worker.saveIsolation(taken.isolation);
      case 'append':
        for (const each of both) each.append('emitted', 5, 0, taken.payload);
        return;
      case 'timer': {
        const { timerId, dueAtMs, name, repeat, lastSeq } = taken;
        const timer = { timerId, dueAtMs, input: '"due"', name, repeat, lastSeq };
        model.timers.set(timer.timerId, timer);
        worker.putTimer(timer);
        return assert.deepEqual(byNumber(worker.timers()), byNumber(model.timers.values()));
      }
      case 'noTimer':
        model.timers.delete(taken.timerId);
        worker.deleteTimer(taken.timerId);
        return assert.deepEqual(byNumber(worker.timers()), byNumber(model.timers.values()));
      case 'delete':
        worker.delete();
        this.#model.workers.delete(id);
        this.#held.delete(id);
        return;
      case 'unload':
        this.#held.delete(id);
        return this.#store.unload(worker);
    }
  }

  #accept(
    id: string,
    both: readonly (ModelWorker | WorkerStore)[],
    { payload: data, key, isVolatile }: { payload: Payload; key: string | null; isVolatile: boolean },
  ): void {
    const seq = this.#nextSeq++;
    // As the supervisor does it: a key that is remembered is not used again.
    const isKeyFree = key !== null && !isVolatile && !this.#model.workers.get(id)?.keys.has(key);
    const input = {
      seq,
      payload: data,
      acceptedAtMs: 1_000 + seq,
      deadlineAtMs: seq % 2,
      key: isKeyFree ? { key, digest: `digest of ${seq}` } : null,
      attempt: 1,
      isVolatile,
    };
    this.#given.push(seq);
    this.#open.get(id)?.push(input);
    this.#expect(`accepted ${seq}`, isVolatile);
    for (const each of both) each.accept(input);
  }

  #start(id: string, both: readonly (ModelWorker | WorkerStore)[]): void {
    const open = this.#open.get(id) ?? [];
    const input = open[0];
    if (input === undefined) return;
    const started = { ...input, attempt: input.attempt + 1 };
    open[0] = started;
    this.#expect(`started ${input.seq}`, input.isVolatile);
    for (const each of both) each.start(started);
  }

  #end(id: string, both: readonly (ModelWorker | WorkerStore)[], output: Payload | null): void {
    const input = this.#open.get(id)?.shift();
    if (input === undefined) return;
    const ending = {
      outcome: output === null ? ('unknown' as const) : ('completed' as const),
      output,
      error: output === null ? { code: 'host_lost', message: 'gone', retryable: false } : null,
      attempt: input.attempt,
      acceptedAtMs: input.acceptedAtMs,
      startedAtMs: 0,
      endedAtMs: 2_000 + input.seq,
    };
    this.#expect(`ended ${input.seq} ${ending.outcome}`, input.isVolatile);
    for (const each of both) each.end(input, ending);
  }

  /** What is volatile is told at once. */
  #expect(event: string, isVolatile: boolean): void {
    (isVolatile ? this.#expectedAtOnce : this.#expected).push(event);
  }
}

export function durableStoreContract(name: string, newPlace: () => StorePlace): void {
  describe(`${name}: a durable store`, () => {
    test('is what a plain model is, whatever happens to it, and however often it is opened again', async (t) => {
      const property = fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), async (steps) => {
        const run = await Run.begin(newPlace());
        for (const each of steps) await run.take(each);
        await run.end();
      });
      await fc.assert(property, { ...seeded(t, 100), includeErrorInReport: true });
    });
  });
}
