// Anything may be asked of a durable runtime, and it may be killed or closed at any moment: what was acknowledged is there, ends once, in
// its order; a state has what completed and nothing else.

import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import type { Runtime } from '../../lib/runtime.ts';
import { Disk } from '../support/disk.ts';
import { DurableRuntime } from '../support/durable.ts';
import { eventually, transcriptOf } from '../support/start-runtime.ts';
import { seeded } from '../support/seeded.ts';

const WORKERS = ['errand', 'errand-again', 'errand'] as const;
const RUNS = 6;
const REFUSALS = ['runtime_unavailable', 'worker_busy', 'worker_failed', 'timeout'];

type Command =
  | {
      readonly do: 'tell';
      readonly to: number;
      readonly count: number;
      readonly way: 'say' | 'fail' | 'child' | 'exit';
    }
  | { readonly do: 'cancel'; readonly nth: number }
  | { readonly do: 'turns'; readonly count: number }
  | { readonly do: 'settle' | 'kill' | 'close' | 'fail' | 'mend' };

const place = fc.nat({ max: WORKERS.length - 1 });
const ways = fc.constantFrom(
  'say' as const,
  'say' as const,
  'say' as const,
  'fail' as const,
  'child' as const,
  'exit' as const,
);
const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        do: fc.constant('tell' as const),
        to: place,
        count: fc.integer({ min: 1, max: 90 }),
        way: ways,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('cancel' as const), nth: fc.nat() }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('mend' as const) }) },
  ),
  { minLength: 8, maxLength: 30 },
);

interface Told {
  readonly name: string;
  readonly to: number;
  readonly way: string;
  /** Null until it is acknowledged. */
  inputId: string | null;
  /** What somebody has seen. */
  outcome: string | null;
}

class Story {
  readonly #durable: DurableRuntime;
  readonly #disk: Disk;
  readonly #told: Told[] = [];
  readonly #sent = new Set<Promise<void>>();
  #names = 0;
  #kills = 0;

  constructor(t: TestContext, disk: Disk) {
    this.#disk = disk;
    this.#durable = new DurableRuntime(t, {
      limits: { maxTranscriptEntries: 100_000, maxTranscriptBytes: 16_777_216 },
    });
  }

  async open(): Promise<void> {
    const runtime = await this.#durable.open();
    for (const [n, kind] of WORKERS.entries()) await runtime.create({ kind, workerId: `w${n}` });
  }

  async play(command: Command): Promise<void> {
    switch (command.do) {
      case 'tell':
        for (let left = command.way === 'exit' ? 1 : command.count; left > 0; left--)
          this.#tell(command.to, command.way);
        break;
      case 'cancel':
        await this.#cancel(command.nth);
        break;
      case 'turns':
        for (let left = command.count; left > 0; left--) await turn();
        break;
      case 'settle':
        await this.settle();
        break;
      case 'kill':
        this.#look();
        this.#kills++;
        await this.#durable.kill();
        await this.#reopen();
        break;
      case 'close':
        this.#disk.mend();
        await this.#durable.runtime.close({ deadlineMs: 20 });
        await this.#reopen();
        break;
      case 'fail':
        this.#disk.fail();
        break;
      case 'mend':
        this.#disk.mend();
        break;
    }
  }

  async #reopen(): Promise<void> {
    this.#disk.mend();
    await Promise.all(this.#sent);
    await this.#durable.open();
  }

  #tell(to: number, way: string): void {
    const name = `${to}-${this.#names++}`;
    const told: Told = { name, to, way, inputId: null, outcome: null };
    const kills = this.#kills;
    const sent = this.#durable.runtime
      .worker(`w${to}`)
      .tell({ name, steps: stepsOf(way, name, to) })
      .then(({ inputId }) => {
        // What a killed runtime still says nobody hears.
        if (kills === this.#kills) told.inputId = inputId;
      })
      .catch((error: { code?: string }) => {
        assert.ok(REFUSALS.includes(String(error.code)), String(error.code));
      })
      .finally(() => this.#sent.delete(sent));
    this.#sent.add(sent);
    this.#told.push(told);
  }

  async #cancel(nth: number): Promise<void> {
    const { inputId, to } = this.#told[nth % Math.max(this.#told.length, 1)] ?? { inputId: null, to: 0 };
    if (inputId !== null) await this.#durable.runtime.worker(`w${to}`).cancel({ inputId });
  }

  /** Remembers each outcome that can be seen, and looks whether one that was seen has changed. */
  #look(): void {
    for (const told of this.#told) {
      if (told.inputId === null) continue;
      const { outcome = null } = this.#durable.runtime.worker(`w${told.to}`).input(told.inputId);
      if (told.outcome !== null) assert.equal(outcome, told.outcome, `${told.name} has another outcome`);
      told.outcome = outcome;
    }
  }

  async settle(): Promise<Runtime> {
    this.#disk.mend();
    const { runtime } = this.#durable;
    await Promise.all(this.#sent);
    await eventually(async () => (await runtime.describe()).mailbox.messages === 0, 60_000);
    this.#look();
    return runtime;
  }

  async check(): Promise<void> {
    await this.settle();
    this.#kills++;
    await this.#durable.kill();
    await this.#durable.open();
    const runtime = await this.settle();
    for (const n of WORKERS.keys()) await this.#checkWorker(runtime, n);
    assert.deepEqual((await runtime.describe()).mailbox, { messages: 0, bytes: 0 });
  }

  async #checkWorker(runtime: Runtime, n: number): Promise<void> {
    const worker = runtime.worker(`w${n}`);
    if (worker.view().status === 'failed') await worker.restore();
    const entries = await transcriptOf(worker);
    const told = this.#told.filter(({ to, inputId }) => to === n && inputId !== null);
    for (const { name, inputId, outcome, way } of told) {
      const own = entries.filter((entry) => entry.inputId === inputId);
      const ends = own.filter(({ type }) => type === 'output' || type === 'failed' || type === 'cancelled');
      assert.deepEqual([own.filter(({ type }) => type === 'input').length, ends.length], [1, 1], `entries of ${name}`);
      assert.notEqual(outcome, null, `${name} has no outcome`);
      if (way === 'child') await this.#checkChild(runtime, name, n, outcome);
    }
    const [log] = (await worker.ask({ name: 'log', steps: [{ do: 'log' }] })) as [string[]];
    const own = log.filter((name) => name.startsWith(`${n}-`));
    const numbers = own.map((name) => Number(name.slice(2)));
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
      'order of what has completed, once each',
    );
    const completed = told.filter(({ outcome }) => outcome === 'completed').map(({ name }) => name);
    assert.deepEqual(
      completed.filter((name) => !own.includes(name)),
      [],
      'completed, but not in the state',
    );
    const others = told.filter(({ outcome }) => outcome !== 'completed').map(({ name }) => name);
    assert.deepEqual(
      others.filter((name) => own.includes(name)),
      [],
      'in the state, but not completed',
    );
  }

  async #checkChild(runtime: Runtime, name: string, n: number, outcome: string | null): Promise<void> {
    const entries = await transcriptOf(runtime.worker(`w${(n + 1) % WORKERS.length}`));
    const inputs = entries.filter(
      ({ type, data }) => type === 'input' && (data as { name: string }).name === `child of ${name}`,
    );
    const expected = outcome === 'completed' ? 1 : 0;
    assert.equal(inputs.length, expected, `${name} is ${outcome} and its child is there ${inputs.length} times`);
  }
}

function stepsOf(way: string, name: string, to: number): unknown[] {
  switch (way) {
    case 'fail':
      return [{ do: 'fail' }];
    case 'exit':
      return [{ do: 'exit', onAttempt: 1 }];
    case 'child':
      return [{ do: 'tell', worker: `w${(to + 1) % WORKERS.length}`, input: { name: `child of ${name}` } }];
    default:
      return [{ do: 'emit', value: name }];
  }
}

test('whatever is asked of it and whenever it is killed, what a durable runtime has acknowledged is there', async (t) => {
  const disk = new Disk(t);
  await fc.assert(
    fc.asyncProperty(commands, async (played) => {
      const story = new Story(t, disk);
      await story.open();
      for (const command of played) await story.play(command);
      await story.check();
    }),
    { ...seeded(t, RUNS), endOnFailure: true, includeErrorInReport: true },
  );
});
