// Plays random commands and faults against a runtime in a simulation, and checks what must always hold. The seed gives the whole run, so
// whatever it finds can be found again.

import type { Limits } from '../limits.ts';
import { Checks, Violation } from './checks.ts';
import { Commands, FAULTS, LONGEST_DELAY_MS } from './commands.ts';
import type { FaultName } from './commands.ts';
import { randomOf } from './random.ts';
import type { Corrupt } from './simulated-hosts.ts';
import { createSimulation } from './simulation.ts';
import type { Simulation } from './simulation.ts';
import { Trace } from './trace.ts';

export interface SimulateOptions {
  readonly seed: number;
  /** Commands. Default 1,000. */
  readonly steps?: number | undefined;
  /** Which faults happen. Default: all of them. */
  readonly faults?: readonly FaultName[] | undefined;
  /** How many faults there are for each command. Default 0.05. */
  readonly faultRate?: number | undefined;
  /** In place of those of the simulation, which are short. */
  readonly limits?: Partial<Limits> | undefined;
  /** For tests of the checks: see Corrupt. */
  readonly corrupt?: Corrupt | undefined;
}

export interface SimulateReport {
  readonly seed: number;
  readonly steps: number;
  /** How many of each command. */
  readonly commands: Readonly<Record<string, number>>;
  /** How many of each fault. */
  readonly faults: Readonly<Record<FaultName, number>>;
  readonly events: number;
  /** Simulated. */
  readonly passedMs: number;
  /** Hash of all events: the same for the same seed and steps. */
  readonly digest: string;
}

const ACTORS = ['actor', 'retrying', 'alone'].map((name) => new URL(`./ledger-${name}.js`, import.meta.url));
const SHARED_HOSTS = 3;

/** Short, so that each of them is met. */
const LIMITS: Partial<Limits> = {
  idleAfterMs: 2_000,
  stuckAfterMs: 3_000,
  cancelGraceMs: 400,
  askTimeoutMs: 10_000,
  stopTimeoutMs: 2_000,
  startTimeoutMs: 5_000,
  maxTranscriptEntries: 1_000_000,
  maxRestarts: 5,
  maxAttempts: 2,
  maxOwnHosts: 4,
  hostMaxAgeMs: 30_000,
  hostMaxInputs: 200,
  // The heap that is measured is that of the whole simulation.
  sharedHeapBytes: Number.MAX_SAFE_INTEGER,
  dedicatedHeapBytes: Number.MAX_SAFE_INTEGER,
  processHeapBytes: Number.MAX_SAFE_INTEGER,
  hostExternalBytes: Number.MAX_SAFE_INTEGER,
};

/** Within this time everything that was under way has ended, once nothing is done to the runtime any more. */
const QUIET_MS = 300_000;
const QUIET_STEP_MS = 1_000;

/** Rejects, when something does not hold, with an error that says what, with the last events and how to run it again. */
export async function simulate(options: SimulateOptions): Promise<SimulateReport> {
  const { seed, steps = 1_000, faults = FAULTS, faultRate = 0.05, limits, corrupt } = options;
  const exitListeners = process.listenerCount('exit');
  let checks: Checks | null = null;
  const simulation = await createSimulation({
    seed,
    actors: ACTORS,
    hosts: SHARED_HOSTS,
    limits: { ...LIMITS, ...limits },
    corrupt,
    onHostExit: (hostId) => checks?.hostGone(hostId),
  });
  const { clock, runtime } = simulation;
  const trace = new Trace(clock);
  checks = new Checks(trace);
  checks.watch(runtime);
  const startMs = clock.now();
  const random = randomOf(seed + 2);
  const commands = new Commands(simulation, random, trace, checks);
  try {
    commands.populate();
    for (let step = 0; step < steps; step++) {
      if (random() < faultRate) commands.fault(faults);
      await clock.advance(commands.step());
      checks.look();
    }
    simulation.faults.clear();
    await comeToRest(simulation, commands, checks);
    await checkWorkers(simulation, checks);
    await clock.until(runtime.close({ deadlineMs: 1_000 }));
    checkLeaks(simulation, exitListeners);
  } catch (thrown) {
    throw failed(thrown, options, trace);
  } finally {
    checks.stop();
    // On a violation nothing says that it could still be closed.
    simulation.abandon();
  }
  return {
    seed,
    steps,
    commands: commands.counts,
    faults: commands.faults,
    events: trace.events,
    passedMs: clock.now() - startMs,
    digest: trace.digest(),
  };
}

/** Every command has been answered, and no worker has anything to do. */
async function comeToRest({ clock, runtime }: Simulation, commands: Commands, checks: Checks): Promise<void> {
  // What workers have set for later comes first: it must not come while they are looked at.
  await clock.advance(LONGEST_DELAY_MS + QUIET_STEP_MS);
  for (let passedMs = 0; passedMs < QUIET_MS; passedMs += QUIET_STEP_MS) {
    await clock.advance(QUIET_STEP_MS);
    checks.look();
    const { mailbox } = await clock.until(runtime.describe());
    if (commands.pending === 0 && mailbox.messages === 0 && mailbox.bytes === 0) return;
  }
  const { mailbox } = await clock.until(runtime.describe());
  throw new Violation(
    `after ${QUIET_MS} ms without commands, ${commands.pending} are not answered and ${mailbox.messages} inputs have no outcome`,
  );
}

/** The state of each worker is the sum of what it completed. Those that have ended are brought back for it. */
async function checkWorkers({ clock, runtime }: Simulation, checks: Checks): Promise<void> {
  for (const { workerId } of [...runtime.workers({ origin: 'actor' })]) {
    const worker = runtime.worker(workerId);
    const added = await clock.until(checks.outcomesOf(workerId));
    // Now, since a parent that was brought back has brought its children along.
    const { status } = worker.view();
    if (status === 'stopped' || status === 'failed') await clock.until(worker.restore());
    const { sum } = (await clock.until(worker.ask({ op: 'read', no: 0 }))) as { sum: number };
    if (sum !== added) throw new Violation(`${workerId} has ${sum}, and its inputs have added ${added}`);
    checks.look();
  }
}

/** Nothing is left of a runtime that was closed. */
function checkLeaks({ runtime, hosts }: Simulation, exitListeners: number): void {
  const left = {
    hosts: hosts.length,
    timers: runtime.supervisor.wheel.size,
    'ends of hosts': process.listenerCount('exit') - exitListeners,
  };
  for (const [what, count] of Object.entries(left))
    if (count !== 0) throw new Violation(`${count} ${what} are left after the close`);
}

function failed(thrown: unknown, { seed, steps = 1_000 }: SimulateOptions, trace: Trace): Error {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const command = `npm run simulate -- --seed ${seed} --steps ${steps}`;
  const text = `${message}\n\nThe last events:\n${trace.last.join('\n')}\n\nOnce more: ${command}`;
  return thrown instanceof Violation ? new Violation(text) : new Error(text, { cause: thrown });
}
