// The thread's end of the wire: ports on one side, the runner on the other. Three lanes: data (batches), control (its own
// port, read whenever the doorbell has rung) and calls (comlink). Runs in a thread of the pool, or inline on the main one.

import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import { GreenroomError } from '../errors.ts';
import { SERVICE_CALLS_IN_FLIGHT } from '../limits.ts';
import { Slices } from '../protocol/slices.ts';
import { BatchCount, LinkFault } from '../protocol/batches.ts';
import { SHARED, TURN } from '../protocol/frames.ts';
import type { Batch, ControlFrame, PingFrame, TakenFrame } from '../protocol/frames.ts';
import { parseUntrusted } from '../protocol/json.ts';
import { asNobody } from './blame.ts';
import { portsOf } from './boot.ts';
import type { HostBoot } from './boot.ts';
import type { StartResult, WorkerSpec } from './host.ts';
import { LogLane } from './log-lane.ts';
import { loadActor } from './modules.ts';
import { receive } from './ports.ts';
import type { OwnThread } from './own-thread.ts';
import { Runner } from './runner.ts';
import { peerCalls, serveCalls, SERVICE_CALLS } from './services.ts';
import type { HostCalls, RuntimeServices } from './services.ts';
import { packResults, unpackStarts } from './starts.ts';

/**
 * Serves until the supervisor closes the host. `threadId` identifies the thread to the pool. `own`: the thread, if it is this host's alone;
 * null on the main thread of an application.
 */
export async function serveHost(boot: HostBoot, threadId: number, own: OwnThread | null): Promise<void> {
  const services = peerCalls<RuntimeServices>(SERVICE_CALLS, boot.services);
  const log = new LogLane(boot.log, boot.hostId);
  const runner: Runner = new Runner({
    shared: boot.shared,
    originMs: boot.originMs,
    send: (batch) => {
      boot.data.postMessage(batch, buffersOf(batch));
      Atomics.add(boot.shared, SHARED.sent, 1);
    },
    readTaken: () => lanes.readTaken(),
    context: {
      inputIdPrefix: boot.inputIdPrefix,
      maxMessageBytes: boot.maxMessageBytes,
      services,
      isBlaming: own !== null,
      readControl: () => lanes.readControl(),
      log: (workerId, level, message, fields) => log.write(level, { worker_id: workerId, ...fields }, message),
      track: boundCalls(),
    },
  });
  const closing = new AbortController();
  const lanes = new Lanes(boot, runner, (fault) => closing.abort(fault));
  own?.serve({ runner, log });
  const flushAtExit = () => {
    runner.flush();
    log.tellDropped();
  };
  process.once('exit', flushAtExit);

  serveCalls(hostCalls(runner, lanes, threadId, closing), boot.calls);
  // A wire that was cut from the other end is an end as well.
  boot.data.once('close', () => closing.abort());
  await once(closing.signal, 'abort');
  process.off('exit', flushAtExit);
  log.tellDropped();
  runner.abandon();
  for (const port of portsOf(boot)) port.close();
  if (closing.signal.reason instanceof LinkFault) throw closing.signal.reason;
}

function hostCalls(runner: Runner, lanes: Lanes, threadId: number, closing: AbortController): HostCalls {
  return {
    hello: () => {
      lanes.writeMemory();
      return { threadId, task: kernelTask() };
    },
    startWorkers: async (packed) => {
      // They may get the places of workers that have crashed: what was sent to those before must not reach them.
      lanes.readControl();
      lanes.readData();
      return packResults(await startAll(runner, unpackStarts(packed)));
    },
    stopWorkers: async (workerSlots) => {
      // What was sent to the workers before is on another port, and comes first.
      lanes.readData();
      await Promise.all(workerSlots.map((workerSlot) => runner.stop(workerSlot)));
    },
    validate: (module, payload) => runner.validate(module, payload),
    checkJson: (payload) => void parseUntrusted(payload),
    inspect: async (module) => {
      const { kind, description = null } = await loadActor(module);
      return { kind, description };
    },
    // The answer leaves first; the ports close in a later turn of the loop.
    close: () => void setImmediate(() => closing.abort()),
  };
}

/** One after the other; the inputs of neighbours get their turns, whatever a first state costs to make. */
async function startAll(runner: Runner, specs: readonly WorkerSpec[]): Promise<StartResult[]> {
  const results: StartResult[] = [];
  const slices = new Slices();
  for (const spec of specs) {
    results.push(await runner.start(spec));
    if (slices.isOver) await slices.next();
  }
  return results;
}

/** Where the kernel tells about this thread; only Linux does. */
function kernelTask(): string | null {
  try {
    return readlinkSync('/proc/thread-self');
  } catch {
    // Another system, or a sandbox without it: then the supervisor does without.
    return null;
  }
}

type LaneFrame = ControlFrame | PingFrame | TakenFrame | typeof TURN;

const KiB = 1024;

/** The data and the control lane. Messages come by themselves, and are also read at once where their order matters. */
class Lanes {
  readonly #boot: HostBoot;
  readonly #runner: Runner;
  /** Rings of the doorbell that were answered. */
  #rings = 0;
  readonly #arrived = new BatchCount();
  readonly #onFault: (fault: LinkFault) => void;

  constructor(boot: HostBoot, runner: Runner, onFault: (fault: LinkFault) => void) {
    this.#boot = boot;
    this.#runner = runner;
    this.#onFault = onFault;
    boot.data.on('message', (batch: Batch) => this.#take(batch));
    boot.control.on('message', (frame: LaneFrame) => this.#control(frame));
  }

  /** Called before each input, and by handlers that check whether they are cancelled: one look at shared memory. */
  readControl(): void {
    const { shared } = this.#boot;
    // Whoever comes here gets on: a loop without an end that does so is not stuck.
    Atomics.add(shared, SHARED.progress, 1);
    this.#readRung((frame) => this.#control(frame));
  }

  /** For a handler that emits more than is taken: that it does so is no sign of life, whatever it makes of the cancels that it comes upon. */
  readTaken(): void {
    this.#readRung((frame) => {
      if (typeof frame === 'object' && 'ping' in frame) setImmediate(() => this.#control(frame));
      else this.#control(frame);
    });
  }

  #readRung(take: (frame: LaneFrame) => void): void {
    const { control, shared } = this.#boot;
    const rings = Atomics.load(shared, SHARED.doorbell);
    if (rings === this.#rings) return;
    this.#rings = rings;
    // A handler may have led here.
    asNobody(() => {
      for (let next = receive(control); next !== undefined; next = receive(control)) take(next.message as LaneFrame);
    });
  }

  /** Control may overtake the input that it is about: then that input is on the data port, and is taken in first. */
  #control(frame: LaneFrame): void {
    if (frame === TURN) {
      this.#runner.endSlice();
      return;
    }
    if ('takenBytes' in frame) {
      this.#runner.onTaken(frame.takenBytes);
      return;
    }
    if ('ping' in frame) {
      this.readData();
      if (frame.sent > this.#arrived.received) this.#fail(new LinkFault('a batch of inputs was lost'));
      this.writeMemory();
      Atomics.store(this.#boot.shared, SHARED.beat, frame.ping);
      return;
    }
    // All that a worker has includes what is on the data port: none of it may begin after what was here has been given back.
    if (frame.seq !== null && this.#runner.cancel(frame)) return;
    this.readData();
    this.#runner.cancel(frame);
  }

  writeMemory(): void {
    const { used_heap_size, external_memory } = getHeapStatistics();
    Atomics.store(this.#boot.shared, SHARED.heapKiB, used_heap_size / KiB);
    Atomics.store(this.#boot.shared, SHARED.externalKiB, external_memory / KiB);
  }

  readData(): void {
    const { data } = this.#boot;
    for (let next = receive(data); next !== undefined; next = receive(data)) {
      this.#take(next.message as Batch);
    }
  }

  #take(batch: Batch): void {
    let isNext: boolean;
    try {
      isNext = this.#arrived.isNext(batch);
    } catch (thrown) {
      this.#fail(thrown as LinkFault);
      return;
    }
    if (!isNext) return;
    this.#runner.accept(batch);
  }

  /** Nothing that comes can be trusted any more: the host ends, and the supervisor settles what was on it. */
  #fail(fault: LinkFault): void {
    Atomics.store(this.#boot.shared, SHARED.fault, 1);
    this.#onFault(fault);
  }
}

/** Bytes in a batch are given away instead of copied: the host made them and is through with them. */
function buffersOf(batch: Batch): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const payload of batch.apart) {
    if (payload instanceof Uint8Array) buffers.push(payload.buffer as ArrayBuffer);
  }
  return buffers;
}

/** Calls to the runtime that are pending, counted: a port's line has no bound of its own. */
function boundCalls(): <T>(call: () => Promise<T>) => Promise<T> {
  let pending = 0;
  return async (call) => {
    if (pending >= SERVICE_CALLS_IN_FLIGHT) {
      throw GreenroomError.of('worker_busy', {
        message: 'Too many calls from this host are pending.',
        details: { pending },
      });
    }
    pending++;
    try {
      return await call();
    } finally {
      pending--;
    }
  };
}
