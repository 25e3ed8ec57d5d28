// Entry of the process of one host. Its main thread is a bridge and nothing else: the host itself, and with it all code of actors, runs in a
// thread. So the bridge goes on relaying whatever the actor does, and tells how the thread ended if the process survives that.
// It ends with its runtime: when the pipe breaks, at once.

import type { EventLoopUtilization } from 'node:perf_hooks';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { SHARED } from '../protocol/frames.ts';
import type { PingFrame } from '../protocol/frames.ts';
import { portsOf } from './boot.ts';
import type { LaneName } from './ports.ts';
import type { HostBoot } from './boot.ts';
import { isOutOfMemory } from './endings.ts';
import { CONTROL, PortRelay } from './process-wire.ts';
import type { FromProcess, ProcessBoot, ProcessEnd, ToProcess } from './process-wire.ts';

/** From a ping to the look at whether it was answered, and between looks until it is. */
const FIRST_PULSE_MS = 5;
const PULSE_EVERY_MS = 100;

if (process.send === undefined) throw new Error('host/process-child.ts is started by a runtime only');

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// What is meant for the runtime reaches the whole group of processes. The runtime decides when its hosts end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.once('message', (message) => serve(message as ProcessBoot));

function send(message: FromProcess, sent?: () => void): void {
  process.send?.(message, undefined, undefined, sent);
}

function serve({ boot, cells, heapMiB }: ProcessBoot): void {
  const shared = new Int32Array(new SharedArrayBuffer(4 * cells));
  shared[SHARED.current] = -1;
  const { near, far } = makePorts({ ...boot, shared });
  const relay = new PortRelay(near, send);
  const thread = new Worker(new URL('./process-thread.js', import.meta.url), {
    workerData: far,
    transferList: portsOf(far) as MessagePort[],
    resourceLimits: { maxOldGenerationSizeMb: heapMiB },
  });
  const pulse = new Pulse(thread, shared);
  process.on('message', (message: ToProcess) => {
    if (message.type !== 'port') return;
    relay.deliver(message);
    if (message.port !== CONTROL) return;
    Atomics.add(shared, SHARED.doorbell, 1);
    pulse.follow(message.message);
  });

  let end: ProcessEnd | null = null;
  thread.on('message', () => (end = { type: 'closed' }));
  thread.on('error', (thrown) => (end = isOutOfMemory(thrown) ? { type: 'out_of_memory' } : threw(thrown)));
  thread.on('exit', (code) => {
    relay.drain();
    send(end ?? { type: 'exited', code }, exitWhenHeard);
  });
}

/** What was written is heard first: a pipe that is full takes the rest later. */
function exitWhenHeard(): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(0)));
}

/** Two ends of the same five ports. */
function makePorts(boot: ProcessBoot['boot'] & { shared: Int32Array }): { near: HostBoot; far: HostBoot } {
  const [data, control, calls, services, log] = [0, 1, 2, 3, 4].map(() => new MessageChannel()) as [
    MessageChannel,
    MessageChannel,
    MessageChannel,
    MessageChannel,
    MessageChannel,
  ];
  const end = (port: 'port1' | 'port2'): Record<LaneName, MessagePort> => ({
    data: data[port],
    control: control[port],
    calls: calls[port],
    services: services[port],
    log: log[port],
  });
  return { near: { ...boot, ...end('port1') }, far: { ...boot, ...end('port2') } };
}

/** Tells the runtime what the shared memory says: after each ping, and for as long as it is not answered. */
class Pulse {
  readonly #thread: Worker;
  readonly #shared: Int32Array;
  #ping = 0;
  #timer: NodeJS.Timeout | undefined;
  #before: EventLoopUtilization;

  constructor(thread: Worker, shared: Int32Array) {
    this.#thread = thread;
    this.#shared = shared;
    this.#before = thread.performance.eventLoopUtilization();
  }

  follow(frame: unknown): void {
    const { ping } = frame as Partial<PingFrame>;
    if (ping === undefined) return;
    this.#ping = ping;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), FIRST_PULSE_MS);
  }

  #tell(): void {
    const since = this.#thread.performance.eventLoopUtilization();
    const { utilization } = this.#thread.performance.eventLoopUtilization(since, this.#before);
    this.#before = since;
    const cells = [...this.#shared.subarray(SHARED.beat, SHARED.started)];
    send({ type: 'pulse', cells, utilization });
    if (cells[0] !== this.#ping) this.#timer = setTimeout(() => this.#tell(), PULSE_EVERY_MS);
  }
}

function threw(thrown: unknown): ProcessEnd {
  const { name = 'Error', message = String(thrown) } = thrown instanceof Error ? thrown : {};
  return { type: 'threw', name, message };
}
