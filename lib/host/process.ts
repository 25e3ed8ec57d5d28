// A host as a process of its own: what no thread can contain (native code that blocks or crashes, memory outside the heap, a heap that is
// overrun at once) ends with the process. The link's ports are relayed over the pipe between the two; see process-wire.ts.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { toMessage } from '../observe/log.ts';
import { eachLine } from '../observe/output.ts';
import { SHARED } from '../protocol/frames.ts';
import type { Wheel } from '../protocol/wheel.ts';
import { endedBy, exitedWith, outOfMemory } from './endings.ts';
import type { HostBoot } from './boot.ts';
import type { HostEvents } from './host.ts';
import type { Carrier } from './carrier.ts';
import { argumentsOf, environmentOf } from './process-options.ts';
import { PortRelay } from './process-wire.ts';
import type { FromProcess, ProcessEnd, ToProcess } from './process-wire.ts';

export interface ProcessHostOptions {
  readonly heapBytes: number;
  /** For what the process writes by itself; what its actors print with JavaScript comes by the log lane. */
  readonly logged: HostEvents['logged'];
  readonly wheel: Wheel;
}

const ENTRY = fileURLToPath(new URL('./process-child.js', import.meta.url));
const MiB = 1024 * 1024;
/** The thread's part of the heap of the process, so that it is the thread that meets its bound: the bridge can still tell of it. */
const THREAD_HEAP = 0.9;
/** After the exit of the process: what it wrote last may be in its pipes, and so may whoever it has started. */
const EXIT_DRAIN_MS = 250;
/** How V8 begins when it gives up the whole process. What follows are addresses and paths. */
const FATAL = /^(?:<--- Last few GCs|FATAL ERROR|# Fatal|Fatal JavaScript)/;
const FATAL_MEMORY = /heap out of memory|invalid (?:array|table|size|string)/i;

export function carryProcess(boot: HostBoot, options: ProcessHostOptions): Carrier {
  return new ProcessCarrier(boot, options);
}

class ProcessCarrier implements Carrier {
  readonly lifetime: Promise<void>;
  readonly #boot: HostBoot;
  readonly #options: ProcessHostOptions;
  readonly #child: ChildProcess;
  readonly #relay: PortRelay;
  #end: ProcessEnd | null = null;
  #isFatal = false;
  #hasNoMemory = false;
  #utilization = 0;

  constructor(boot: HostBoot, options: ProcessHostOptions) {
    this.#boot = boot;
    this.#options = options;
    const heapMiB = Math.ceil(options.heapBytes / MiB);
    this.#child = fork(ENTRY, [], {
      execArgv: argumentsOf(process.execArgv, heapMiB),
      env: environmentOf(process.env),
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#relay = new PortRelay(boot, (relayed) => this.#send(relayed));
    this.lifetime = this.#watch();
    const { hostId, inputIdPrefix, maxMessageBytes, originMs, shared } = boot;
    this.#send({
      type: 'boot',
      boot: { hostId, inputIdPrefix, maxMessageBytes, originMs },
      cells: shared.length,
      heapMiB: Math.ceil(heapMiB * THREAD_HEAP),
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  utilization(): number {
    return this.#utilization;
  }

  /** To a process that is gone nothing is sent; its end is told elsewhere. */
  #send(message: ToProcess): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #take(message: FromProcess): void {
    if (message.type === 'port') this.#relay.deliver(message);
    else if (message.type === 'pulse') {
      this.#utilization = message.utilization;
      this.#boot.shared.set(message.cells, SHARED.beat);
    } else this.#end = message;
  }

  /** Resolves or rejects when the process has ended and all that it said was heard. */
  #watch(): Promise<void> {
    const { wheel } = this.#options;
    const child = this.#child;
    child.on('message', (message: FromProcess) => this.#take(message));
    this.#hear();
    return new Promise<void>((resolve, reject) => {
      const settle = (exitCode: number | null, signal: string | null): void => {
        this.#relay.close();
        if (this.#end?.type === 'closed') resolve();
        else reject(this.#endingOf(exitCode, signal));
      };
      // It could not be started.
      child.once('error', (cause) => {
        if (child.pid === undefined) reject(cause);
      });
      child.once('exit', (exitCode, signal) => {
        const drained = wheel.after(EXIT_DRAIN_MS, () => {
          child.stdout?.destroy();
          child.stderr?.destroy();
          settle(exitCode, signal);
        });
        child.once('close', () => {
          drained.cancel();
          settle(exitCode, signal);
        });
      });
    });
  }

  #endingOf(exitCode: number | null, signal: string | null): Error {
    if (this.#hasNoMemory || this.#end?.type === 'out_of_memory') return outOfMemory(this.#options.heapBytes);
    if (this.#end?.type === 'exited') return exitedWith(this.#end.code);
    if (this.#end?.type === 'threw') return Object.assign(new Error(this.#end.message), { name: this.#end.name });
    return signal === null ? exitedWith(exitCode ?? 0) : endedBy(signal);
  }

  /** What it writes is in the log, until V8 writes its last words: of those only what they mean is kept. */
  #hear(): void {
    const { stdout, stderr } = this.#child;
    if (stdout !== null) eachLine(stdout, (fields) => this.#log('stdout', fields));
    if (stderr !== null) {
      eachLine(
        stderr,
        (fields) => this.#log('stderr', fields),
        (line) => !this.#isLast(line),
      );
    }
  }

  #isLast(line: string): boolean {
    if (FATAL.test(line)) this.#isFatal = true;
    if (this.#isFatal && FATAL_MEMORY.test(line)) this.#hasNoMemory = true;
    return this.#isFatal;
  }

  #log(stream: 'stdout' | 'stderr', { line, dropped }: { line?: string; dropped?: number }): void {
    const fields = {
      host_id: this.#boot.hostId,
      stream,
      ...(line !== undefined && { line: toMessage(line) }),
      ...(dropped !== undefined && { dropped_lines: dropped }),
    };
    this.#options.logged({ level: 'info', fields, message: 'output of a host' });
  }
}
