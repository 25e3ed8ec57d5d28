// The state tables as a model: random commands on one worker, on simulated hosts. Whatever the order, each command does what the tables say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { WorkerStatus } from '../../lib/protocol/views.ts';
import { COMMANDS, nextStatus } from '../../lib/supervisor/states.ts';
import type { WorkerEvent } from '../../lib/supervisor/states.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { createSimulation } from '../../lib/testing/index.ts';
import type { Simulation } from '../../lib/testing/index.ts';
import { codeOf } from '../support/start-runtime.ts';
import { seeded } from '../support/seeded.ts';

const LEDGER = new URL('../../lib/testing/ledger-actor.js', import.meta.url);
const IDLE_AFTER_MS = 60_000;
const MAX_RESTARTS = 2;
/** Longer than anything takes but the longest input, and shorter than a worker is idle. */
const SHORT_MS = 15_000;
const LONG_INPUT_MS = 10_000_000;

interface Model {
  /** Null: there is no worker. */
  status: WorkerStatus | null;
  /** Deaths that were held against it since it was made or restored. */
  deaths: number;
  idleMs: number;
  sum: number;
}

interface Real {
  readonly simulation: Simulation;
  readonly worker: () => WorkerHandle;
  /** Every status that it was in after a command. */
  readonly met: Set<WorkerStatus | null>;
}

type Command = fc.AsyncCommand<Model, Real>;

/** One command on a worker that exists, whatever its status is; afterwards both are as the tables say. */
function command(name: string, run: (model: Model & { status: WorkerStatus }, real: Real) => Promise<void>): Command {
  return {
    toString: () => name,
    check: ({ status }) => status !== null,
    run: async (model, real) => {
      await run(model as Model & { status: WorkerStatus }, real);
      await agree(model, real);
    },
  };
}

function follow(model: Model, ...events: WorkerEvent[]): void {
  for (const event of events) model.status = nextStatus(model.status as WorkerStatus, event);
  model.idleMs = 0;
}

async function pass(model: Model, { simulation }: Real, ms: number): Promise<void> {
  await simulation.clock.advance(ms);
  if (model.status !== 'idle') return;
  model.idleMs += ms;
  if (model.idleMs > IDLE_AFTER_MS + SHORT_MS) follow(model, 'rested');
}

async function agree(model: Model, { simulation, worker, met }: Real): Promise<void> {
  met.add(model.status);
  if (model.status === null) {
    assert.throws(() => simulation.runtime.worker('w'), { code: 'worker_not_found' });
    return;
  }
  // Within this much of the time at which it hibernates, it may or may not have done so yet.
  if (model.status === 'idle' && model.idleMs >= IDLE_AFTER_MS) return;
  assert.equal(worker().view().status, model.status);
}

/** Up, if it was away; then the events of the input. */
function deliver(model: Model, ...events: WorkerEvent[]): void {
  if (model.status === 'hibernated') follow(model, 'woken', 'started');
  follow(model, ...events);
}

/** An outcome, or the code of what was refused; a long one is not waited for. */
async function isRefused(cell: string, effect: string, promise: Promise<unknown>, { clock }: Simulation): Promise<boolean> {
  const result = codeOf(promise);
  if (cell === effect) return false;
  assert.equal(await clock.until(result), cell);
  return true;
}

const add = (amount: number) =>
  command(`add ${amount}`, async (model, real) => {
    // Whatever runs would be waited for.
    if (model.status === 'running') return;
    const { simulation, worker } = real;
    const answer = worker().ask({ op: 'add', no: 0, add: amount });
    if (await isRefused(COMMANDS.input[model.status], 'accept', answer, simulation)) return;
    model.sum += amount;
    assert.equal(((await simulation.clock.until(answer)) as { sum: number }).sum, model.sum);
    deliver(model, 'engaged', 'disengaged');
  });

const begin = command('begin', async (model, real) => {
  if (model.status === 'running') return;
  const { simulation, worker } = real;
  const told = worker().tell({ op: 'add', no: 0, add: 1, takesMs: LONG_INPUT_MS });
  if (await isRefused(COMMANDS.input[model.status], 'accept', told, simulation)) return;
  await pass(model, real, SHORT_MS);
  deliver(model, 'engaged');
});

const cancel = command('cancel', async (model, real) => {
  const isRunning = COMMANDS.cancel[model.status] === 'abort';
  const { effect } = await real.simulation.clock.until(real.worker().cancel());
  assert.equal(effect, isRunning ? 'aborting' : 'none');
  await pass(model, real, SHORT_MS);
  if (isRunning) follow(model, 'disengaged');
});

const stop = command('stop', async (model, real) => {
  const isFirst = COMMANDS.stop[model.status] === 'stop';
  const ack = await real.simulation.clock.until(real.worker().stop());
  assert.equal(ack.status, 'stopped');
  if (isFirst) follow(model, 'stopRequested', 'stopFinished');
});

const restore = command('restore', async (model, real) => {
  const restored = real.worker().restore();
  if (await isRefused(COMMANDS.restore[model.status], 'start', restored, real.simulation)) return;
  await real.simulation.clock.until(restored);
  follow(model, 'restored', 'started');
  model.deaths = 0;
});

const remove = command('delete', async (model, real) => {
  const deleted: Promise<unknown> = real.worker().delete();
  if (await isRefused(COMMANDS.delete[model.status], 'delete', deleted, real.simulation)) return;
  await real.simulation.clock.until(deleted);
  (model as Model).status = null;
});

const kill = command('kill its host', async (model, real) => {
  const { hostId } = real.worker().view();
  if (hostId === null) return;
  real.simulation.faults.kill(hostId);
  // An idle worker has nothing to do with it.
  if (model.status === 'running') model.deaths++;
  const isOver = model.deaths > MAX_RESTARTS;
  if (model.status === 'running' && isOver) follow(model, 'gaveUp');
  else follow(model, 'died', 'started');
  await pass(model, real, SHORT_MS);
});

const create: Command = {
  toString: () => 'create',
  check: ({ status }) => status === null,
  run: async (model, real) => {
    await real.simulation.clock.until(real.simulation.runtime.create({ kind: 'greenroom:ledger', workerId: 'w' }));
    Object.assign(model, { status: 'idle', deaths: 0, idleMs: 0, sum: 0 });
    await agree(model, real);
  },
};

const wait = command('wait', (model, real) => pass(model, real, 2 * IDLE_AFTER_MS));

test('a worker does what the state tables say, in whatever order it is told', async (t) => {
  const commands = fc.commands(
    [
      fc.constant(create),
      fc.integer({ min: 1, max: 9 }).map(add),
      ...[begin, begin, begin, cancel, stop, restore, remove, kill, kill, kill, wait].map((one) => fc.constant(one)),
    ],
    { maxCommands: 40, size: 'max' },
  );
  const met = new Set<WorkerStatus | null>();
  const property = fc.asyncProperty(commands, fc.nat(), async (sequence, seed) => {
    const simulation = await createSimulation({
      seed,
      actors: [LEDGER],
      hosts: 2,
      limits: { idleAfterMs: IDLE_AFTER_MS, maxRestarts: MAX_RESTARTS, restartWindowMs: 2 ** 31 - 1 },
    });
    try {
      const model: Model = { status: null, deaths: 0, idleMs: 0, sum: 0 };
      const worker = (): WorkerHandle => simulation.runtime.worker('w');
      await fc.asyncModelRun(() => ({ model, real: { simulation, worker, met } }), sequence);
    } finally {
      await simulation.close({ deadlineMs: 1 });
    }
  });
  await fc.assert(property, seeded(t, 30));
  // Otherwise the commands never got far.
  for (const status of ['idle', 'running', 'stopped', 'hibernated', 'failed', null] as const) assert.ok(met.has(status), String(status));
});
