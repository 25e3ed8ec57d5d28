// One worker on a host of its own, without a runtime: what it sends out goes nowhere, and what would bring an answer from outside is
// refused, since no transcript says what the answer was.

import { randomUUID } from 'node:crypto';
import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { Host, WorkerSpec } from '../host/host.ts';
import { HostPool } from '../host/pool.ts';
import { uniformServices } from '../host/services.ts';
import type { RuntimeServices } from '../host/services.ts';
import type { Limits } from '../limits.ts';
import { COMPLETED } from '../protocol/frames.ts';
import { Wheel } from '../protocol/wheel.ts';
import type { Ticket } from '../protocol/frames.ts';
import type { Payload } from '../protocol/payload.ts';
import { payloadBytes } from '../protocol/payload.ts';
import { within } from '../protocol/waits.ts';

/** What one input did. */
export interface Ran {
  readonly result: { readonly output: Payload } | { readonly error: WireError };
  readonly emitted: readonly Payload[];
  /** The calls that were refused, as an author knows them: `ctx.ask`. */
  readonly refused: readonly string[];
}

interface Running {
  readonly emitted: Payload[];
  readonly refused: Set<string>;
  readonly resolve: (ran: Ran) => void;
  readonly reject: (cause: GreenroomError) => void;
}

export interface ScratchOptions {
  readonly limits: Limits;
  readonly inputIdPrefix: string;
  /** How long an input may take, in milliseconds. */
  readonly inputTimeoutMs: number;
}

/** Place of the worker on its host. */
const SLOT = 0;

export class Scratch {
  readonly #inputTimeoutMs: number;
  readonly #pool: HostPool;
  readonly #host: Host;
  #running: Running | null = null;
  #isLost = false;
  /** The encoded state after the last completed input; null for an actor without state. */
  #state: Payload | null = null;

  constructor({ limits, inputIdPrefix, inputTimeoutMs }: ScratchOptions) {
    this.#inputTimeoutMs = inputTimeoutMs;
    this.#pool = new HostPool({ maxHosts: 1, inputIdPrefix, limits, services: this.#services(), wheel: new Wheel() });
    this.#host = this.#pool.launch(
      { hostId: 'replay', isolation: 'shared' },
      {
        reply: (_ticket, code, _startedAt, _endedAt, body, state) => {
          if (state !== null) this.#state = state;
          const result = code === COMPLETED ? { output: body.payload } : { error: body.value() as WireError };
          this.#settle(result);
        },
        emitted: (_slot, _seq, _at, data) => void this.#running?.emitted.push(data),
        crashed: () => this.#lose(),
        dropped: () => undefined,
        logged: () => undefined,
      },
    );
    void this.#host.exited.then(() => this.#lose());
  }

  get state(): Payload | null {
    return this.#state;
  }

  /** What the module is. Rejects with `invalid_actor`, or `host_lost`. */
  async kindOf(module: string): Promise<string> {
    await this.#host.ready;
    return (await this.#host.inspect(module)).kind;
  }

  /** `state`: null for the actor's first one. Rejects with why the worker cannot start. */
  async start(worker: Omit<WorkerSpec, 'slot'>): Promise<void> {
    await this.#host.ready;
    const [started] = await this.#host.startWorkers([{ slot: SLOT, ...worker }]);
    if (started === undefined) throw new Error('the host has not said what became of the worker');
    if ('error' in started) throw GreenroomError.fromWire(started.error);
    this.#state = started.state;
  }

  /** One at a time. Rejects with `timeout`, or with `host_lost` when the host dies; then there is no going on. */
  async run(input: Pick<Ticket, 'seq' | 'attempt' | 'payload'>): Promise<Ran> {
    const ran = new Promise<Ran>((resolve, reject) => {
      this.#running = { emitted: [], refused: new Set(), resolve, reject };
      if (this.#isLost) this.#lose();
      else this.#host.send(SLOT, { ...input, bytes: payloadBytes(input.payload) });
    });
    return within(this.#inputTimeoutMs, [], () => ran);
  }

  async close(): Promise<void> {
    this.#host.kill(new Error('replayed'));
    await this.#host.exited;
    await this.#pool.close();
  }

  #settle(result: Ran['result']): void {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    running.resolve({ result, emitted: running.emitted, refused: [...running.refused] });
  }

  #lose(): void {
    this.#isLost = true;
    this.#running?.reject(GreenroomError.of('host_lost'));
    this.#running = null;
  }

  #services(): RuntimeServices {
    const refuse = (name: string) => (): never => {
      this.#running?.refused.add(name);
      const message = `${name} is not there in a replay: what it was answered is not recorded.`;
      throw GreenroomError.of('unsupported_operation', { message });
    };
    return {
      ...uniformServices(refuse('a channel')),
      ask: refuse('ctx.ask'),
      invoke: refuse('ctx.invoke'),
      functions: refuse('ctx.functions'),
      createChannel: refuse('ctx.channel'),
      takeChannel: refuse('ctx.openChannel'),
      tell: () => Promise.resolve(randomUUID()),
      create: (_workerId, _kind, newWorkerId) => Promise.resolve(newWorkerId ?? randomUUID()),
      stop: () => Promise.resolve(),
      watch: () => undefined,
      unwatch: () => undefined,
      after: () => Promise.resolve(),
      every: () => Promise.resolve(),
      cancelTimer: () => Promise.resolve(),
    };
  }
}
