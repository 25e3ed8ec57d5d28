// The thread's end of the data path: runs the inputs of many workers, each worker strictly one at a time, all of them in
// turn. Control is looked at before each input; after SLICE_MS the event loop gets a turn, so that timers and I/O of
// asynchronous handlers go on under load. Knows nothing of threads or ports: it is given batches and a way to send them.

import type { ActorDefinition } from '../actor.ts';
import { BATCH_FRAMES, SLICE_MS } from '../limits.ts';
import { CANCELLED, COMPLETED, eachInput, FAILED, pushReply, SHARED, STARTED_AT } from '../protocol/frames.ts';
import type { Batch, ControlFrame, ReplyCode } from '../protocol/frames.ts';
import { describeError } from '../observe/log.ts';
import { requireValid } from '../protocol/issues.ts';
import { parseUntrusted } from '../protocol/json.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { LoadedActors } from './actors.ts';
import { Cell } from './cell.ts';
import type { HeldInput } from './cell.ts';
import { InputContext } from './context.ts';
import type { ContextHost } from './context.ts';
import { makesState, makeState } from './first-state.ts';
import { cancelledError, encodeOutput, encodeState, failureOf, isThenable } from './outcomes.ts';
import { Outgoing } from './outgoing.ts';
import type { Crash, StartResult, WorkerSpec } from './host.ts';

/** A handler that blocked the loop this long makes the next one of its kind wait until finished replies have left. */
const SLOW_HANDLER_MS = 1;

export interface RunnerOptions {
  readonly context: Omit<ContextHost, 'emit'>;
  readonly shared: Int32Array;
  /** Origin of the runtime's clock. */
  readonly originMs: number;
  /** Sends a batch of replies at once; payloads of type Uint8Array are given away. */
  readonly send: (batch: Batch) => void;
  /** Reads how much of what was emitted has been taken. */
  readonly readTaken: () => void;
}

export class Runner {
  readonly #host: ContextHost;
  readonly #shared: Int32Array;
  readonly #outgoing: Outgoing;
  readonly #actors = new LoadedActors();
  readonly #cells: (Cell | undefined)[] = [];
  /** Workers with something to run; each is here at most once, so its turn comes once per round. */
  #ready: Cell[] = [];
  #sliceStartMs = 0;
  #isRunning = false;
  #isSliceOpen = false;
  #isTurnScheduled = false;

  constructor(options: RunnerOptions) {
    this.#outgoing = new Outgoing(options.send, options.originMs, options.readTaken);
    this.#host = {
      ...options.context,
      emit: (owner, seq, data) => this.#outgoing.emit((owner as Cell).slot, seq, data),
    };
    this.#shared = options.shared;
  }

  // --- workers ---

  async start(spec: WorkerSpec): Promise<StartResult> {
    try {
      const actor = this.#actors.get(spec.module) ?? (await this.#actors.load(spec.module));
      const config = actor.readConfig(spec.config);
      const cell = new Cell(this.#host, spec, actor);
      const state = makesState(cell, spec) ? this.#onStack(cell, () => makeState(cell, spec, config)) : null;
      cell.load(state ?? spec.state);
      this.#cells[spec.slot] = cell;
      return { state, stateVersion: actor.definition.stateVersion ?? 0 };
    } catch (thrown) {
      return {
        error: failureOf(thrown, (fields) => this.#host.log(spec.workerId, 'error', 'actor failed to start', fields)),
      };
    }
  }

  async stop(workerSlot: number): Promise<void> {
    const cell = this.#cells[workerSlot];
    if (cell === undefined) return;
    if (cell.running !== null || cell.line.length > 0) await new Promise<void>((resolve) => (cell.whenEmpty = resolve));
    if (cell.isGone) return;
    this.#cells[workerSlot] = undefined;
    const { definition } = cell;
    if (definition.stopped === undefined) return;
    const context = new InputContext(cell, cell.lastSeq, 1, true);
    try {
      await cell.run(() => definition.stopped?.(context));
    } catch (thrown) {
      failureOf(thrown, (fields) => this.#host.log(cell.workerId, 'error', 'stopped() failed', fields));
    }
    context.end();
    this.flush();
  }

  /**
   * Something has failed that the worker had started and that nothing waited for. What it was in the middle of is unknown, so the worker is
   * dropped; its neighbours go on. False if it is not on this host any more.
   */
  crash(cell: Cell, cause: Crash['cause'], thrown: unknown): boolean {
    if (this.#cells[cell.slot] !== cell) return false;
    this.#cells[cell.slot] = undefined;
    cell.isGone = true;
    const { running, context, line } = cell;
    cell.line = [];
    for (const input of running === null ? line : [running, ...line]) this.#outgoing.drop(input.slot);
    this.#outgoing.crash(cell.slot, { cause, error: describeError(thrown) });
    cell.whenEmpty?.();
    // What it has left running is told to end; it is not listened to any longer.
    if (context !== null) cell.run(() => context.cancel('the worker has crashed'));
    return true;
  }

  /** The thread ends because of this worker, whose handler may be waiting for something. */
  blame(cell: Cell): void {
    if (this.#cells[cell.slot] === cell && Atomics.load(this.#shared, SHARED.current) === -1)
      this.#enterStack(cell.slot);
  }

  /** Parses and validates an untrusted input. Throws `invalid_json` or `invalid_input`. */
  async validate(module: string, payload: Payload): Promise<void> {
    const { input } = this.#actors.get(module) ?? (await this.#actors.load(module));
    requireValid(input, parseUntrusted(payload), 'invalid_input');
  }

  // --- inputs and control ---

  accept(batch: Batch): void {
    eachInput(batch, (slot, workerSlot, seq, attempt, value, encoded) => {
      const cell = this.#cells[workerSlot];
      if (cell === undefined) {
        // It has crashed while this was on its way.
        this.#outgoing.drop(slot);
        return;
      }
      cell.hold({ slot, seq, attempt, value, encoded });
      this.#enqueue(cell);
    });
    // Under a handler that looks at its control lane, or while a turn is due: the loop that runs will come to them.
    if (this.#isRunning || this.#isTurnScheduled) return;
    // Many batches may be read in one turn of the event loop; they share one slice, or timers and I/O would wait for all of them.
    if (!this.#isSliceOpen) this.#openSlice();
    if (this.#outgoing.now() - this.#sliceStartMs < SLICE_MS) this.#work();
    else this.#scheduleTurn();
  }

  /** Returns false if the host has not (or no longer) got the input. What has not started is answered at once and never does. */
  cancel(frame: ControlFrame): boolean {
    const cell = this.#cells[frame.workerSlot];
    if (cell === undefined) return false;
    const isMeant = (input: HeldInput) => frame.seq === null || input.seq === frame.seq;
    const unstarted = cell.line.filter(isMeant);
    if (unstarted.length > 0) {
      cell.line = cell.line.filter((input) => !isMeant(input));
      const error = JSON.stringify(cancelledError(frame.reason));
      for (const input of unstarted)
        pushReply(this.#outgoing.outbox, input.slot, CANCELLED, 0, this.#outgoing.now(), error, null);
      this.#outgoing.scheduleFlush();
    }
    const isRunning = cell.running !== null && isMeant(cell.running);
    if (isRunning && !frame.waitingOnly) cell.context?.cancel(frame.reason);
    if (cell.running === null && cell.line.length === 0) cell.whenEmpty?.();
    return isRunning || unstarted.length > 0;
  }

  /** The wire is gone: nothing more begins, and what is still running is told to end. On a thread that goes with it this changes nothing. */
  abandon(): void {
    for (const cell of this.#cells) cell?.abandon();
  }

  // --- the loop ---

  #enqueue(cell: Cell): void {
    if (cell.isQueued || cell.running !== null) return;
    cell.isQueued = true;
    this.#ready.push(cell);
  }

  /** A slice belongs to one turn of the event loop: it closes when the loop comes to its immediates. */
  #openSlice(): void {
    this.#isSliceOpen = true;
    this.#sliceStartMs = this.#outgoing.now();
    setImmediate(() => (this.#isSliceOpen = false));
  }

  /** Something waits for a turn of the event loop, and gets it after the input at hand (measured: the median stop takes 3 ms under load instead of 5). */
  endSlice(): void {
    this.#sliceStartMs = 0;
  }

  #turn(): void {
    this.#isTurnScheduled = false;
    this.#sliceStartMs = this.#outgoing.now();
    this.#work();
  }

  #work(): void {
    this.#run();
    // Now, and not after the microtasks: one of those may never come to its end, and what is finished here would go with it.
    this.flush();
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    let nowMs = this.#outgoing.now();
    while (this.#ready.length > 0) {
      const round = this.#ready;
      this.#ready = [];
      for (let at = 0; at < round.length; at++) {
        if (nowMs - this.#sliceStartMs >= SLICE_MS) {
          this.#ready = round.slice(at).concat(this.#ready);
          this.#isRunning = false;
          this.#scheduleTurn();
          return;
        }
        nowMs = this.#runNext(round[at] as Cell, nowMs);
      }
    }
    this.#isRunning = false;
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    setImmediate(() => this.#turn());
  }

  /** Runs the next input of a worker; returns the time when it was through with it. */
  #runNext(cell: Cell, nowMs: number): number {
    // While it still counts as queued: what comes in meanwhile must not queue it a second time, or it would run two inputs at once.
    this.#host.readControl();
    cell.isQueued = false;
    const input = cell.next();
    if (input === undefined) return nowMs;
    if (cell.isSlow && this.#outgoing.outbox.frames > 0) this.flush();

    const context = new InputContext(cell, input.seq, input.attempt);
    cell.running = input;
    cell.lastSeq = input.seq;
    cell.context = context;
    // The time first: whoever sees the number finds the time that belongs to it.
    this.#shared[STARTED_AT + cell.slot] = nowMs;
    this.#shared[SHARED.entered] = Atomics.load(this.#shared, SHARED.progress);
    Atomics.store(this.#shared, SHARED.started + cell.slot, input.seq | 0);
    this.#enterStack(cell.slot);
    let result: unknown;
    let isAsync: boolean;
    try {
      result = cell.run(handle, cell.definition, input, context);
      isAsync = isThenable(result);
    } catch (thrown) {
      if (context.pending === null) this.#fail(cell, input, context, nowMs, thrown);
      else this.#await(cell, input, context, nowMs, rejection(thrown));
      this.#leaveStack();
      return this.#outgoing.now();
    }
    const endedAt = this.#outgoing.now();
    cell.isSlow = endedAt - nowMs >= SLOW_HANDLER_MS;
    if (isAsync || context.pending !== null) this.#await(cell, input, context, nowMs, result);
    else this.#complete(cell, input, context, nowMs, endedAt, result);
    // Only here: what it has returned or thrown may run code of its own when it is looked at or encoded.
    this.#leaveStack();
    return endedAt;
  }

  #onStack<R>(cell: Cell, code: () => R): R {
    this.#enterStack(cell.slot);
    try {
      return cell.run(code);
    } finally {
      this.#leaveStack();
    }
  }

  /** From here on a thread that dies or is stuck names the worker that was running. */
  #enterStack(workerSlot: number): void {
    Atomics.store(this.#shared, SHARED.current, workerSlot);
  }

  #leaveStack(): void {
    Atomics.store(this.#shared, SHARED.current, -1);
  }

  #await(cell: Cell, input: HeldInput, context: InputContext, startedAt: number, result: unknown): void {
    // Through a promise of ours: a thenable may throw, or call back twice.
    Promise.resolve(result).then(
      (value) =>
        this.#afterRequests(cell, context, () =>
          this.#complete(cell, input, context, startedAt, this.#outgoing.now(), value),
        ),
      (thrown: unknown) =>
        this.#afterRequests(cell, context, () => this.#fail(cell, input, context, startedAt, thrown)),
    );
  }

  /** What a handler has asked for without waiting belongs to its outcome, which must not get there first. */
  #afterRequests(cell: Cell, context: InputContext, end: () => void): void {
    const endNow = (): void => {
      if (cell.isGone) return;
      this.#enterStack(cell.slot);
      end();
      this.#leaveStack();
      this.#resume();
    };
    if (context.pending === null) endNow();
    else void context.pending.then(endNow);
  }

  /** After an asynchronous handler: go on at once if this turn's slice is not used up, so that awaiting costs no turn. */
  #resume(): void {
    this.#outgoing.scheduleFlush();
    if (this.#isRunning || this.#isTurnScheduled || this.#ready.length === 0) return;
    if (this.#outgoing.now() - this.#sliceStartMs < SLICE_MS) this.#run();
    else this.#scheduleTurn();
  }

  // --- outcomes ---

  #complete(
    cell: Cell,
    input: HeldInput,
    context: InputContext,
    startedAt: number,
    endedAt: number,
    value: unknown,
  ): void {
    let output: Payload;
    let state: string | null = null;
    try {
      output = encodeOutput(cell.definition, value, this.#host.maxMessageBytes);
      if (cell.savedState !== null) {
        state = encodeState(cell.state, this.#host.maxMessageBytes);
        if (state === cell.savedState) state = null;
        else cell.savedState = state;
      }
    } catch (thrown) {
      this.#fail(cell, input, context, startedAt, thrown);
      return;
    }
    context.end();
    this.#reply(cell, input, COMPLETED, startedAt, endedAt, output, state);
  }

  #fail(cell: Cell, input: HeldInput, context: InputContext, startedAt: number, thrown: unknown): void {
    context.end();
    if (cell.savedState !== null) cell.state = decode(cell.savedState);
    const code: ReplyCode = context.isCancelled ? CANCELLED : FAILED;
    const error = context.isCancelled
      ? cancelledError(context.cancelReason)
      : failureOf(thrown, (fields) =>
          this.#host.log(cell.workerId, 'error', 'actor threw', { input_id: context.inputId, ...fields }),
        );
    this.#reply(cell, input, code, startedAt, this.#outgoing.now(), JSON.stringify(error), null);
  }

  #reply(
    cell: Cell,
    input: HeldInput,
    code: ReplyCode,
    startedAt: number,
    endedAt: number,
    body: Payload,
    state: Payload | null,
  ): void {
    pushReply(this.#outgoing.outbox, input.slot, code, startedAt, endedAt, body, state);
    cell.running = null;
    cell.context = null;
    if (cell.line.length > 0) this.#enqueue(cell);
    else cell.whenEmpty?.();
    // Whoever cancelled waits for it, and a stop goes on from here.
    if (this.#outgoing.outbox.frames >= BATCH_FRAMES || code === CANCELLED) this.flush();
  }

  flush(): void {
    this.#outgoing.flush();
  }

  /** So many bytes of what was emitted are with the runtime. */
  onTaken(bytes: number): void {
    this.#outgoing.onTaken(bytes);
  }
}

/** The actor's part of an input. */
function handle(definition: ActorDefinition, { value, encoded }: HeldInput, context: InputContext): unknown {
  return definition.receive(
    requireValid(definition.input, encoded === null ? value : decode(encoded), 'invalid_input'),
    context,
  );
}

/** Whatever was thrown. */
async function rejection(thrown: unknown): Promise<never> {
  throw thrown;
}
