// The thread's end of the wire: ports on one side, the runner on the other. Three lanes: data (batches), control (its own
// port, read whenever the doorbell has rung) and calls (comlink). Runs in a thread of the pool, or inline on the main one.

import { once } from 'node:events';
import { receiveMessageOnPort } from 'node:worker_threads';
import { getHeapStatistics } from 'node:v8';
import type { ActorLog } from '../actor.ts';
import { GreenroomError } from '../errors.ts';
import { LOG_LINES_IN_FLIGHT, SERVICE_CALLS_IN_FLIGHT } from '../limits.ts';
import { SHARED } from '../protocol/frames.ts';
import type { Batch, ControlFrame } from '../protocol/frames.ts';
import { portsOf } from './boot.ts';
import type { HostBoot } from './boot.ts';
import { loadActor } from './modules.ts';
import { Runner } from './runner.ts';
import { peerCalls, serveCalls, SERVICE_CALLS } from './services.ts';
import type { Calls, HostCalls, RuntimeServices } from './services.ts';

/**
 * Serves until the supervisor closes the host. `threadId` identifies the thread to the pool. `onServing` gets the way to
 * report a rejection that nobody handled.
 */
export async function serveHost(
  boot: HostBoot,
  threadId: number,
  onServing?: (reportRejection: (fields: Record<string, unknown>) => void) => void,
): Promise<void> {
  const services = peerCalls<RuntimeServices>(SERVICE_CALLS, boot.services);
  const log = new BoundedLog(services, boot.hostId);
  onServing?.((fields) => log.write('error', fields, 'unhandled rejection in an actor'));
  let rung = 0;
  const runner: Runner = new Runner({
    shared: boot.shared,
    send: (batch) => boot.data.postMessage(batch, buffersOf(batch)),
    context: {
      inputIdPrefix: boot.inputIdPrefix,
      maxMessageBytes: boot.maxMessageBytes,
      services,
      readControl,
      log: (workerId, level, message, fields) => log.write(level, { worker_id: workerId, ...fields }, message),
      track: boundCalls(),
    },
  });

  function readControl(): void {
    const rings = Atomics.load(boot.shared, SHARED.doorbell);
    if (rings === rung) return;
    rung = rings;
    for (let next = receiveMessageOnPort(boot.control); next !== undefined; next = receiveMessageOnPort(boot.control)) {
      control(next.message as ControlFrame);
    }
  }

  /** Control may overtake the input that it is about: then that input is on the data port, and is taken in first. */
  function control(frame: ControlFrame): void {
    if (runner.cancel(frame)) return;
    readData();
    runner.cancel(frame);
  }

  function readData(): void {
    for (let next = receiveMessageOnPort(boot.data); next !== undefined; next = receiveMessageOnPort(boot.data)) {
      runner.accept(next.message as Batch);
    }
  }

  boot.data.on('message', (batch: Batch) => runner.accept(batch));
  boot.control.on('message', control);
  const flushAtExit = () => runner.flush();
  process.once('exit', flushAtExit);

  const closing = new AbortController();
  const calls: HostCalls = {
    hello: () => threadId,
    startWorkers: (specs) => Promise.all(specs.map((spec) => runner.start(spec))),
    stopWorker: (workerSlot) => {
      // What was sent to the worker before is on another port, and comes first.
      readData();
      return runner.stop(workerSlot);
    },
    validate: (module, payload) => runner.validate(module, payload),
    inspect: async (module) => {
      const { kind, description = null } = await loadActor(module);
      return { kind, description };
    },
    heapBytes: () => getHeapStatistics().used_heap_size,
    // The answer leaves first; the ports close in a later turn of the loop.
    close: () => void setImmediate(() => closing.abort()),
  };
  serveCalls(calls, boot.calls);

  // A wire that was cut from the other end is an end as well.
  boot.data.once('close', () => closing.abort());
  await once(closing.signal, 'abort');
  process.off('exit', flushAtExit);
  runner.abandon();
  for (const port of portsOf(boot)) port.close();
}

/** Bytes in a batch are given away instead of copied: the host made them and is through with them. */
function buffersOf(batch: Batch): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const field of batch) if (field instanceof Uint8Array) buffers.push(field.buffer as ArrayBuffer);
  return buffers;
}

/** Calls to the runtime that are pending, counted: a port's line has no bound of its own. */
function boundCalls(): <T>(call: () => Promise<T>) => Promise<T> {
  let pending = 0;
  return async (call) => {
    if (pending >= SERVICE_CALLS_IN_FLIGHT) {
      throw GreenroomError.of('worker_busy', { message: 'Too many calls from this host are pending.', details: { pending } });
    }
    pending++;
    try {
      return await call();
    } finally {
      pending--;
    }
  };
}

/** Log lines on their way to the runtime, bounded: beyond it lines are counted instead of sent. */
class BoundedLog {
  readonly #services: Calls<RuntimeServices>;
  readonly #hostId: string;
  #inFlight = 0;
  #dropped = 0;

  constructor(services: Calls<RuntimeServices>, hostId: string) {
    this.#services = services;
    this.#hostId = hostId;
  }

  write(level: keyof ActorLog, fields: Record<string, unknown>, message: string): void {
    if (this.#inFlight >= LOG_LINES_IN_FLIGHT) {
      this.#dropped++;
      return;
    }
    const dropped = this.#dropped === 0 ? {} : { dropped_lines: this.#dropped };
    this.#dropped = 0;
    this.#inFlight++;
    this.#services
      .log(level, plainFields({ host_id: this.#hostId, ...fields, ...dropped }), message)
      // A line that cannot be written has nowhere to be reported to.
      .catch(() => this.#dropped++)
      .finally(() => this.#inFlight--);
  }
}

/** Fields as JSON values: what cannot be cloned must not make a log call throw into an actor. */
function plainFields(fields: Record<string, unknown>): Record<string, unknown> {
  try {
    return JSON.parse(JSON.stringify(fields)) as Record<string, unknown>;
  } catch {
    return { unencodable_fields: Object.keys(fields) };
  }
}
