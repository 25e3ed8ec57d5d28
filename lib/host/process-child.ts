// Entry of the process of one host. Its main thread is a bridge and nothing else: the host itself, and with it all code of actors, runs in a
// thread. So the bridge goes on relaying whatever the actor does, and tells how the thread ended if the process survives that.
// It ends with its runtime: when the pipe breaks, at once.

import { MessageChannel, Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { SHARED } from '../protocol/frames.ts';
import { portsOf } from './boot.ts';
import type { HostBoot } from './boot.ts';
import { isOutOfMemory } from './endings.ts';
import { CONTROL, PortRelay } from './process-wire.ts';
import type { FromProcess, ProcessBoot, ProcessEnd, ToProcess } from './process-wire.ts';

/** From a control frame, which may be a ping, to the look at what it has changed. */
const PULSE_AFTER_MS = 10;

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
    transferList: portsOf(far),
    resourceLimits: { maxOldGenerationSizeMb: heapMiB },
  });
  const feel = pulses(thread, shared);
  process.on('message', (message: ToProcess) => {
    if (message.type !== 'port') return;
    relay.deliver(message);
    if (message.port !== CONTROL) return;
    Atomics.add(shared, SHARED.doorbell, 1);
    feel();
  });

  let end: ProcessEnd | null = null;
  thread.on('message', () => (end = { type: 'closed' }));
  thread.on('error', (thrown) => (end = isOutOfMemory(thrown) ? { type: 'out_of_memory' } : threw(thrown)));
  thread.on('exit', (code) => {
    relay.drain();
    send(end ?? { type: 'exited', code }, () => process.exit(0));
  });
}

/** Two ends of the same four ports. */
function makePorts(boot: ProcessBoot['boot'] & { shared: Int32Array }): { near: HostBoot; far: HostBoot } {
  const [data, control, calls, services] = [0, 1, 2, 3].map(() => new MessageChannel()) as [
    MessageChannel,
    MessageChannel,
    MessageChannel,
    MessageChannel,
  ];
  const end = (port: 'port1' | 'port2'): Record<'data' | 'control' | 'calls' | 'services', MessagePort> => ({
    data: data[port],
    control: control[port],
    calls: calls[port],
    services: services[port],
  });
  return { near: { ...boot, ...end('port1') }, far: { ...boot, ...end('port2') } };
}

/** Makes a function that has a sign of life sent soon; several calls share one. */
function pulses(thread: Worker, shared: Int32Array): () => void {
  let before = thread.performance.eventLoopUtilization();
  let isDue = false;
  const tell = (): void => {
    isDue = false;
    const since = thread.performance.eventLoopUtilization();
    const { utilization } = thread.performance.eventLoopUtilization(since, before);
    before = since;
    send({ type: 'pulse', cells: [...shared.subarray(SHARED.current + 1, SHARED.started)], utilization });
  };
  return () => {
    if (isDue) return;
    isDue = true;
    setTimeout(tell, PULSE_AFTER_MS);
  };
}

function threw(thrown: unknown): ProcessEnd {
  const { name = 'Error', message = String(thrown) } = thrown instanceof Error ? thrown : {};
  return { type: 'threw', name, message };
}
