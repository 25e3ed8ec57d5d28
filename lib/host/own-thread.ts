// What a host does with a thread, or a process, that is its alone: it hears of failures that nothing waited for, knows whose they are, and
// captures what is printed. A host on the main thread of an application does none of this: what happens there is the application's.

import { describeError } from '../observe/log.ts';
import { ownerOf } from './blame.ts';
import type { Crash } from './host.ts';
import type { LogLane } from './log-lane.ts';
import { captureOutput, printedText, PrintRate } from './output.ts';
import type { Stream } from './output.ts';
import type { Runner } from './runner.ts';

/** The host that the thread serves. */
export interface Served {
  readonly runner: Runner;
  readonly log: LogLane;
}

const LEVELS = { stdout: 'info', stderr: 'error' } as const satisfies Record<Stream, string>;

export class OwnThread {
  #served: Served | null = null;
  readonly #rate = new PrintRate(performance.now());

  /** To be made before any code of a user is loaded. */
  constructor() {
    captureOutput((stream, text) => this.#print(stream, text));
    process.on('unhandledRejection', (reason) => this.#onRejection(reason));
    process.on('uncaughtException', (error) => this.#onException(error));
    process.on('exit', () => this.#onExit());
  }

  serve(served: Served): void {
    this.#served = served;
  }

  #print(stream: Stream, printed: string): void {
    const log = this.#served?.log;
    const text = printedText(printed);
    if (log === undefined || text === '') return;
    if (!this.#rate.take(text.length, performance.now())) {
      log.drop();
      return;
    }
    const owner = ownerOf();
    log.write(LEVELS[stream], { ...(owner !== undefined && { worker_id: owner.workerId }), stream }, text);
  }

  #onRejection(reason: unknown): void {
    if (this.#isBlamed('unhandled_rejection', reason)) return;
    // Of a module, or of code that no worker has started: whoever awaited the promise has its error from there.
    this.#served?.log.write('error', describeError(reason), 'unhandled rejection in an actor');
  }

  #onException(error: unknown): void {
    if (this.#isBlamed('uncaught_exception', error)) return;
    // Nobody's, so it may be the host's own: what holds here is unknown. Thrown from here it ends the thread as if nobody had caught it.
    // Such an end has no `exit`: what is finished leaves here.
    this.#served?.runner.flush();
    throw error;
  }

  /** True if it is known whose failure it is: then the thread itself is sound. */
  #isBlamed(cause: Crash['cause'], thrown: unknown): boolean {
    const owner = ownerOf();
    if (owner === undefined || this.#served === null) return false;
    const { runner, log } = this.#served;
    if (!runner.crash(owner, cause, thrown)) {
      const fields = { worker_id: owner.workerId, cause, ...describeError(thrown) };
      log.write('warn', fields, 'what a worker has left behind has failed');
    }
    return true;
  }

  /** `process.exit()`, perhaps after an await: then no handler is on the stack. */
  #onExit(): void {
    const owner = ownerOf();
    if (owner !== undefined) this.#served?.runner.blame(owner);
  }
}
