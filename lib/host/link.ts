// The supervisor's end of the wire to one host. Inputs leave in batches, once per turn of the loop; replies find their
// input by its slot. When the host dies, what it had already sent is read first, then every call that waits is rejected
// with the cause, and `exited` resolves: nothing that was asked of a host waits for ever.

import { MessageChannel } from 'node:worker_threads';
import {
  BATCH_BYTES,
  BATCH_FRAMES,
  EMITTED_BYTES_PER_HOST,
  KILL_DEADLINE_MS,
  SLICE_MS,
  WINDOW_BYTES_PER_HOST,
  WINDOW_PER_HOST,
} from '../limits.ts';
import type { Limits } from '../limits.ts';
import { now, ORIGIN_MS } from '../protocol/clock.ts';
import { BatchCount, LinkFault } from '../protocol/batches.ts';
import {
  eachReply,
  emittedBytes,
  Outbox,
  pushInput,
  SHARED,
  newShared,
  quietMsOf,
  STARTED_AT,
  TURN,
} from '../protocol/frames.ts';
import type { Batch, Body, ControlFrame, PingFrame, ReplyCode, TakenFrame, Ticket } from '../protocol/frames.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { Carrier } from './carrier.ts';
import { cpuTime } from './cpu-time.ts';
import type { Crash, Host, HostEvents, HostExit, HostPulse, StartResult, WorkerSpec } from './host.ts';
import { LogTaker } from './log-taker.ts';
import { PendingCalls } from './pending-calls.ts';
import { receive } from './ports.ts';
import type { Lane, LaneName, Port } from './ports.ts';
import { HOST_CALLS, peerCalls, serveCalls } from './services.ts';
import type { Calls, HostCalls, RuntimeServices } from './services.ts';
import { packStarts, unpackResults } from './starts.ts';
import type { HostBoot } from './boot.ts';

export interface LinkOptions {
  readonly hostId: string;
  readonly inputIdPrefix: string;
  readonly limits: Limits;
  readonly services: RuntimeServices;
  readonly events: HostEvents;
  readonly wheel: Wheel;
  /** A lane of the wire. Default: a MessageChannel. */
  readonly lane?: (name: LaneName) => Lane;
  readonly carry: (boot: HostBoot) => Carrier;
  /** False for a host in another process: what it writes into its shared memory ends with it. Default true. */
  readonly sharesMemory?: boolean;
}

/** The host is told what of that it emits was taken often enough that a steady stream is not stopped. */
const EMITTED_BYTES_PER_ANSWER = EMITTED_BYTES_PER_HOST / 8;
/** How long JavaScript that is interrupted may take to answer. */
const INTERRUPT_TIMEOUT_MS = 200;

export class Link implements Host {
  readonly hostId: string;
  readonly window: number;
  readonly ready: Promise<void>;
  readonly exited: Promise<HostExit>;
  readonly ended: Promise<void>;
  #resolveExited!: (exit: HostExit) => void;
  readonly #limits: Limits;
  readonly #events: HostEvents;
  readonly #carrier: Carrier;
  readonly #calls: Calls<HostCalls>;
  readonly #data: Port;
  readonly #control: Port;
  readonly #log: LogTaker;
  #takenBytes = 0;
  readonly #ports: Port[];
  readonly #arrived = new BatchCount();
  readonly #sharesMemory: boolean;
  readonly #shared = newShared();
  /** Inputs at the host, by slot; free slots are a stack, so that a small load stays in a few cache lines. */
  readonly #tickets: (Ticket | null)[] = [];
  readonly #freeSlots: number[] = [];
  #inFlight = 0;
  #inFlightBytes = 0;
  readonly #outbox = new Outbox();
  #outboxBytes = 0;
  #lastBatchFrames = 1;
  #isFlushScheduled = false;
  /** When the first input of this turn of the loop was sent. */
  #turnStartMs = 0;
  #task: string | null = null;
  #pings = 0;
  #killCause: Error | null = null;
  #exit: HostExit | null = null;
  readonly #pending: PendingCalls;

  constructor(options: LinkOptions) {
    const { lane = () => new MessageChannel() } = options;
    const data = lane('data');
    const control = lane('control');
    const calls = lane('calls');
    const services = lane('services');
    const log = lane('log');
    this.hostId = options.hostId;
    this.#sharesMemory = options.sharesMemory ?? true;
    this.window = this.#sharesMemory ? WINDOW_PER_HOST : 1;
    this.#limits = options.limits;
    this.#events = options.events;
    this.#pending = new PendingCalls(options.wheel);
    this.#data = data.port1;
    this.#control = control.port1;
    this.#log = new LogTaker(log.port1, (line) => options.events.logged(line));
    this.#ports = [data.port1, control.port1, calls.port1, services.port1, log.port1];
    this.#calls = peerCalls<HostCalls>(HOST_CALLS, calls.port1);
    serveCalls(options.services, services.port1);
    this.#data.on('message', (batch: Batch) => this.#take(batch));
    this.#carrier = options.carry({
      hostId: options.hostId,
      inputIdPrefix: options.inputIdPrefix,
      maxMessageBytes: options.limits.maxMessageBytes,
      originMs: ORIGIN_MS,
      shared: this.#shared,
      data: data.port2,
      control: control.port2,
      calls: calls.port2,
      services: services.port2,
      log: log.port2,
    });
    this.exited = new Promise((resolve) => (this.#resolveExited = resolve));
    this.ended = this.#carrier.lifetime.then(
      () => this.#onExit(null),
      (cause: unknown) => this.#onExit(cause instanceof Error ? cause : new Error(String(cause))),
    );
    this.ready = this.#pending
      .call(() => this.#calls.hello(), this.#limits.startTimeoutMs)
      .then(({ threadId, task }) => {
        this.#task = task;
        this.#carrier.adopt?.(threadId);
      });
    // Whoever launches a host looks at `ready`; a death before that look must not count as unhandled.
    this.ready.catch(() => undefined);
  }

  get hasRoom(): boolean {
    return this.#inFlight < this.window && this.#inFlightBytes < WINDOW_BYTES_PER_HOST;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  // --- the data lane ---

  send(workerSlot: number, ticket: Ticket): void {
    const slot = this.#freeSlots.pop() ?? this.#tickets.length;
    this.#tickets[slot] = ticket;
    this.#inFlight++;
    this.#inFlightBytes += ticket.bytes;
    this.#outboxBytes += ticket.bytes;
    pushInput(this.#outbox, slot, workerSlot, ticket);
    if (!this.#sharesMemory) this.#assumeStarted(workerSlot, ticket);
    // An idle host gets its input at once, not at the end of the turn, if the last one came alone as well; several are worth one message.
    if (this.#inFlight === 1 && this.#lastBatchFrames === 1) {
      this.#flush();
      return;
    }
    if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      this.#turnStartMs = now();
      setImmediate(this.#endTurn);
    }
    const isFull = this.#outbox.frames >= BATCH_FRAMES || this.#outboxBytes >= BATCH_BYTES;
    // Early, so that both threads work at once; but not for ever. Node reads up to 1,000 messages of a port before it turns to
    // anything else, and replies to what left early come back into that same reading: timers and sockets would wait for seconds.
    if (isFull && now() - this.#turnStartMs < SLICE_MS) this.#flush();
  }

  /** What cannot be read after the death of the host counts as begun, so that nothing is run twice; hence its window of one. */
  #assumeStarted(workerSlot: number, ticket: Ticket): void {
    Atomics.store(this.#shared, SHARED.started + workerSlot, ticket.seq | 0);
    Atomics.store(this.#shared, STARTED_AT + workerSlot, now());
    Atomics.store(this.#shared, SHARED.current, workerSlot);
  }

  readonly #endTurn = (): void => {
    this.#isFlushScheduled = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#outbox.frames === 0 || this.#exit !== null) return;
    this.#outboxBytes = 0;
    this.#lastBatchFrames = this.#outbox.frames;
    this.#data.postMessage(this.#outbox.take());
  }

  /** Called for each reply of a batch. */
  reply(slot: number, code: ReplyCode, startedAt: number, endedAt: number, body: Body, state: Payload | null): void {
    this.#events.reply(this.#release(slot), code, startedAt, endedAt, body, state);
  }

  #release(slot: number): Ticket {
    const ticket = this.#tickets[slot];
    if (ticket === null || ticket === undefined) throw new LinkFault('reply for an input that is not at this host');
    this.#tickets[slot] = null;
    this.#freeSlots.push(slot);
    this.#inFlight--;
    this.#inFlightBytes -= ticket.bytes;
    if (!this.#sharesMemory && this.#inFlight === 0) Atomics.store(this.#shared, SHARED.current, -1);
    return ticket;
  }

  /** Called for each emitted entry of a batch. */
  emitted(workerSlot: number, seq: number, at: number, data: Payload): void {
    this.#events.emitted(workerSlot, seq, at, data);
    this.#takenBytes += emittedBytes(data);
    if (this.#takenBytes < EMITTED_BYTES_PER_ANSWER) return;
    this.#ring({ takenBytes: this.#takenBytes });
    this.#takenBytes = 0;
  }

  /** Called for each input of a crashed worker. */
  dropped(slot: number): void {
    this.#release(slot);
    this.#events.dropped();
  }

  /** Called for each worker that has crashed, in the order of things. */
  crashed(workerSlot: number, crash: Body): void {
    this.#events.crashed(workerSlot, crash.value() as Crash);
  }

  // --- the control lane ---

  cancel(frame: ControlFrame): void {
    if (this.#exit !== null) return;
    // The input first: the host looks on the data port when a control frame names an input that it does not know.
    this.#flush();
    this.#ring(frame);
  }

  #ring(frame: ControlFrame | PingFrame | TakenFrame | typeof TURN): void {
    this.#control.postMessage(frame);
    Atomics.add(this.#shared, SHARED.doorbell, 1);
  }

  lastStarted(workerSlot: number): number {
    return Atomics.load(this.#shared, SHARED.started + workerSlot);
  }

  startedAt(workerSlot: number): number {
    return Atomics.load(this.#shared, STARTED_AT + workerSlot);
  }

  current(): number {
    return Atomics.load(this.#shared, SHARED.current);
  }

  // --- signs of life ---

  ping(): number {
    const ping = ++this.#pings;
    if (this.#exit === null) this.#findLoss();
    if (this.#exit === null) this.#ring({ ping, sent: this.#outbox.taken });
    return ping;
  }

  pulse(): HostPulse {
    const cpu = this.#task === null ? null : cpuTime(this.#task);
    const unit = this.#carrier.ownsMemory === false ? 0 : 1_024;
    return {
      beat: Atomics.load(this.#shared, SHARED.beat),
      progress: Atomics.load(this.#shared, SHARED.progress),
      quietMs: quietMsOf(this.#shared, now()),
      utilization: this.#exit === null ? this.#carrier.utilization() : 0,
      heapBytes: Atomics.load(this.#shared, SHARED.heapKiB) * unit,
      externalBytes: Atomics.load(this.#shared, SHARED.externalKiB) * unit,
      cpuMs: cpu?.cpuMs ?? null,
      wantedCpuMs: cpu?.wantedCpuMs ?? null,
    };
  }

  interrupt(): Promise<boolean> | null {
    const answer = this.#carrier.interrupt?.() ?? null;
    if (answer === null) return null;
    return this.#pending
      .call(() => answer, INTERRUPT_TIMEOUT_MS)
      .then(
        () => true,
        () => false,
      );
  }

  // --- calls ---

  async startWorkers(specs: readonly WorkerSpec[]): Promise<StartResult[]> {
    const starts = packStarts(specs);
    return unpackResults(await this.#pending.call(() => this.#calls.startWorkers(starts), this.#limits.startTimeoutMs));
  }

  async stopWorkers(workerSlots: readonly number[]): Promise<void> {
    this.#flush();
    const stopped = this.#pending.call(() => this.#calls.stopWorkers(workerSlots), this.#limits.stopTimeoutMs);
    if (this.#exit === null) this.#ring(TURN);
    await stopped;
    // What `stopped` emitted left first, but on another port: ports are not read in the order of their messages.
    this.#readData();
  }

  validate(module: string, payload: Payload): Promise<void> {
    return this.#pending.call(() => this.#calls.validate(module, payload), this.#limits.askTimeoutMs);
  }

  checkJson(payload: Payload): Promise<void> {
    return this.#pending.call(() => this.#calls.checkJson(payload), this.#limits.askTimeoutMs);
  }

  inspect(module: string): Promise<{ kind: string; description: string | null }> {
    return this.#pending.call(() => this.#calls.inspect(module), this.#limits.startTimeoutMs);
  }

  kill(cause: Error): void {
    if (this.#exit !== null) return;
    this.#killCause ??= cause;
    this.#carrier.kill();
  }

  cutOff(): void {
    this.#killCause ??= new Error('cut off');
    this.#carrier.kill();
    this.#onExit(null);
  }

  async close(): Promise<void> {
    const end = async (): Promise<void> => {
      await this.#calls.close();
      await this.exited;
    };
    // As long as an input that is told to end has: what an actor has left there may keep it from hearing.
    const withinMs = this.#limits.cancelGraceMs + KILL_DEADLINE_MS;
    // The end of the host is as good an answer as the answer itself, which may not get through before it.
    await this.#pending.call(end, withinMs).catch((cause: unknown) => {
      if (this.#exit?.type !== 'closed') throw cause;
    });
  }

  /** Takes in what has arrived on the data port without waiting for its turn. */
  #readData(): void {
    for (let next = receive(this.#data); next !== undefined; next = receive(this.#data)) {
      this.#take(next.message as Batch);
    }
  }

  #take(batch: Batch): void {
    try {
      if (this.#arrived.isNext(batch)) eachReply(batch, this);
    } catch (thrown) {
      if (!(thrown instanceof LinkFault)) throw thrown;
      this.#breakOff(thrown);
    }
  }

  /** A batch that was lost shows by the next one. For the last one, both ends compare what was sent with what has come. */
  #findLoss(): void {
    // The count of a host in another process may come here before what it counts.
    if (!this.#sharesMemory) return;
    const sent = Atomics.load(this.#shared, SHARED.sent);
    this.#readData();
    if (((sent - this.#arrived.received) | 0) > 0) this.#breakOff(new LinkFault('a batch of replies was lost'));
  }

  #breakOff(fault: LinkFault): void {
    if (this.#events.broken === undefined) this.kill(fault);
    else this.#events.broken(fault);
  }

  #onExit(error: Error | null): void {
    // It was cut off before.
    if (this.#exit !== null) return;
    // Replies that were on their way when the host died are outcomes like any other.
    this.#readData();
    if (Atomics.load(this.#shared, SHARED.fault) === 1) this.#killCause ??= new LinkFault('a batch of inputs was lost');
    this.#log.drain();
    const type = this.#killCause !== null ? 'killed' : error === null ? 'closed' : 'crashed';
    this.#exit = { type, error: this.#killCause ?? error };
    for (const port of this.#ports) port.close();
    this.#pending.end(this.#exit.error);
    this.#resolveExited(this.#exit);
  }
}
