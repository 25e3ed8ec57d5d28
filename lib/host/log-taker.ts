// The supervisor's end of the lane on which a host's lines for the log come; see log-lane.ts.

import { LOG_LINES_IN_FLIGHT } from '../limits.ts';
import type { LogLine } from './host.ts';
import { receive } from './ports.ts';
import type { Port } from './ports.ts';

/** The host is told that its lines were taken often enough that a steady stream of them is not stopped. */
const LINES_PER_ANSWER = LOG_LINES_IN_FLIGHT / 4;

export class LogTaker {
  readonly #port: Port;
  readonly #logged: (line: LogLine) => void;
  #taken = 0;

  constructor(port: Port, logged: (line: LogLine) => void) {
    this.#port = port;
    this.#logged = logged;
    port.on('message', (line: LogLine) => this.#take(line));
  }

  /** What has come and was not read yet, for when the host is dead. */
  drain(): void {
    for (let next = receive(this.#port); next !== undefined; next = receive(this.#port)) {
      this.#take(next.message as LogLine);
    }
  }

  #take(line: LogLine): void {
    if (++this.#taken % LINES_PER_ANSWER === 0) this.#port.postMessage(this.#taken);
    this.#logged(line);
  }
}
