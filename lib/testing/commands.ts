// What a simulation does to its runtime, by chance: commands of users, and faults of hosts. What a command answers goes into the trace.

import { asGreenroomError } from '../errors.ts';
import type { WorkerHandle } from '../supervisor/handle.ts';
import type { Checks } from './checks.ts';
import { numberOf } from './checks.ts';
import type { LedgerInput } from './ledger.ts';
import { below, pick } from './random.ts';
import type { Random } from './random.ts';
import type { Simulation } from './simulation.ts';
import type { Trace } from './trace.ts';

export const FAULTS = ['kill', 'oom', 'hang', 'slow', 'drop', 'duplicate', 'reorder'] as const;
export type FaultName = (typeof FAULTS)[number];

/** Of an input that a worker sends to itself later. */
export const LONGEST_DELAY_MS = 3_000;
const COMMANDS = [
  ['ask', 30],
  ['tell', 30],
  ['create', 8],
  ['cancel', 6],
  ['restore', 12],
  ['later', 4],
  ['forward', 4],
  ['stop', 3],
  ['wait', 2],
  ['burst', 3],
  ['delete', 0.5],
  ['spawn', 2],
  ['recycle', 0.3],
] as const;
type CommandName = (typeof COMMANDS)[number][0];

const KINDS = [
  ['greenroom:ledger', 3],
  ['greenroom:ledger-retrying', 2],
  ['greenroom:ledger-alone', 1],
] as const;

/** Names that workers are given, so that commands meet. */
const NAMES = 10;
/** Inputs that are sent at once, at most. */
const MAX_BURST = 12;
/** Inputs that may be cancelled by their id. */
const REMEMBERED = 32;

export class Commands {
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #checks: Checks;
  #issued = 0;
  readonly #recent: { workerId: string; inputId: string }[] = [];
  /** What has not answered yet. */
  readonly #pending = new Set<Promise<void>>();
  readonly counts: Record<string, number> = {};
  readonly faults: Record<FaultName, number> = { kill: 0, oom: 0, hang: 0, slow: 0, drop: 0, duplicate: 0, reorder: 0 };

  constructor(simulation: Simulation, random: Random, trace: Trace, checks: Checks) {
    this.#simulation = simulation;
    this.#random = random;
    this.#trace = trace;
    this.#checks = checks;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Every name that a worker may have. */
  static get names(): string[] {
    return Array.from({ length: NAMES }, (_none, at) => `w${at}`);
  }

  /** Makes every worker, of some kind. */
  populate(): void {
    for (const workerId of Commands.names) this.#do('create', workerId);
  }

  /** One command. Returns how long to wait after it, in milliseconds. */
  step(): number {
    const name = pick(this.#random, COMMANDS);
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    this.#do(name, `w${below(this.#random, NAMES)}`);
    return name === 'wait' ? below(this.#random, 5_000) : below(this.#random, 20);
  }

  #do(name: CommandName, workerId: string): void {
    const random = this.#random;
    const { runtime } = this.#simulation;
    const no = ++this.#issued;
    const other = `w${below(random, NAMES)}`;
    switch (name) {
      case 'wait':
        return;
      case 'create': {
        const kind = pick(random, KINDS);
        this.#run(`create ${workerId} ${kind}`, async () => void (await runtime.create({ kind, workerId })));
        return;
      }
      case 'ask':
        this.#ask(workerId, no);
        return;
      case 'tell':
        this.#tell(workerId, this.#someInput(no));
        return;
      case 'burst':
        for (let left = 2 + below(random, MAX_BURST - 1); left > 0; left--)
          this.#tell(workerId, this.#someInput(++this.#issued));
        return;
      case 'later':
        this.#tell(workerId, { op: 'later', no, add: below(random, 100), delayMs: below(random, LONGEST_DELAY_MS) });
        return;
      case 'forward':
        this.#tell(workerId, { op: random() < 0.5 ? 'tell' : 'ask', no, add: below(random, 100), to: other });
        return;
      case 'spawn':
        this.#tell(workerId, { op: 'spawn', no, workerId: other, kind: pick(random, KINDS) });
        return;
      case 'recycle': {
        const host = this.#simulation.hosts[below(random, this.#simulation.hosts.length)];
        if (host !== undefined)
          this.#run(`recycle ${host.hostId}`, async () => void (await runtime.recycleHost(host.hostId)));
        return;
      }
      case 'cancel':
        this.#cancel(workerId);
        return;
      case 'stop':
        this.#with(`stop ${workerId}`, workerId, async (worker) => {
          const ack = await worker.stop({ drain: random() < 0.5, deadlineMs: 1_000 });
          return `${ack.drained} drained, ${ack.cancelled} cancelled`;
        });
        return;
      case 'restore':
        this.#with(`restore ${workerId}`, workerId, async (worker) => (await worker.restore()).status);
        return;
      case 'delete':
        this.#with(`delete ${workerId}`, workerId, async (worker) => {
          await worker.delete({ force: true });
          this.#checks.forget(workerId);
        });
        return;
    }
  }

  #someInput(no: number): LedgerInput {
    const random = this.#random;
    const how = pick(random, [['well', 8] as const, ['throws', 1] as const, ['deaf', 1] as const]);
    const takesMs = random() < 0.5 ? 0 : below(random, how === 'deaf' ? 3_000 : 100);
    return { op: 'add', no, add: below(random, 100), takesMs, how };
  }

  #ask(workerId: string, no: number): void {
    const timeoutMs = this.#random() < 0.2 ? 1 + below(this.#random, 300) : undefined;
    this.#with(`ask ${workerId} #${no}`, workerId, async (worker) =>
      JSON.stringify(await worker.ask(this.#someInput(no), { timeoutMs })),
    );
  }

  #tell(workerId: string, input: LedgerInput): void {
    const deadlineMs = this.#random() < 0.2 ? 1 + below(this.#random, 300) : undefined;
    this.#with(`tell ${workerId} #${input.no} ${input.op}`, workerId, async (worker) => {
      const { inputId } = await worker.tell(input, { deadlineMs });
      this.#recent.push({ workerId, inputId });
      if (this.#recent.length > REMEMBERED) this.#recent.shift();
      return numberOf(inputId);
    });
  }

  #cancel(workerId: string): void {
    const random = this.#random;
    const known = random() < 0.5 ? this.#recent[below(random, this.#recent.length)] : undefined;
    const target = known?.workerId ?? workerId;
    this.#with(
      `cancel ${target} ${known === undefined ? 'running' : numberOf(known.inputId)}`,
      target,
      async (worker) => {
        const { effect } = await worker.cancel({ ...(known && { inputId: known.inputId }), reason: 'chance' });
        return effect;
      },
    );
  }

  #with(what: string, workerId: string, call: (worker: WorkerHandle) => Promise<string | void>): void {
    this.#run(what, async () => call(this.#simulation.runtime.worker(workerId)));
  }

  /** Goes on by itself; its answer is an event like any other. */
  #run(what: string, call: () => Promise<string | void>): void {
    this.#trace.add(what);
    const running = call().then(
      (answer) => this.#trace.add(`${what} → ${answer ?? 'done'}`),
      (thrown: unknown) => {
        const { code } = asGreenroomError(thrown);
        this.#trace.add(`${what} ✗ ${code}`);
        if (code === 'internal') this.#checks.violate(`${what}: ${String(thrown)}`);
      },
    );
    this.#pending.add(running);
    void running.then(() => this.#pending.delete(running));
  }

  // --- faults ---

  /** One fault, at a host that lives. */
  fault(names: readonly FaultName[]): void {
    const random = this.#random;
    const { hosts, faults } = this.#simulation;
    const host = hosts[below(random, hosts.length)];
    const name = names[below(random, names.length)];
    if (host === undefined || name === undefined) return;
    const { hostId } = host;
    this.faults[name]++;
    this.#trace.add(`fault ${name} ${hostId}`);
    if (name === 'kill' || name === 'oom') faults[name](hostId);
    else if (name === 'hang') faults.hang(hostId, random() < 0.8 ? below(random, 4_000) : undefined);
    else if (name === 'slow') faults.slow(hostId, random() < 0.5 ? 0 : below(random, 100));
    else faults[name](hostId, { lane: random() < 0.8 ? 'data' : 'control', from: random() < 0.5 ? 'out' : 'in' });
  }
}
