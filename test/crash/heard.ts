// What a client has heard, one line of JSON each, in a file of its own: the only thing that the checker believes. A line is written, by one
// synchronous write, when an answer has come; what was merely sent has none.

import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** The time that all processes of this machine share, in microseconds. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** An input that was accepted. `name` is unique for the worker and stands in the input. */
export interface AckLine {
  readonly op: 'ack';
  readonly workerId: string;
  readonly name: string;
  /** Null where the answer does not tell it. */
  readonly inputId: string | null;
  /** When it was sent first; the line's own time is that of the answer. */
  readonly sentUs: number;
  readonly key?: string;
  /** What it was sent as, to be sent again with its key. */
  readonly input?: unknown;
  /** Its place in a batch. */
  readonly batch?: string;
  readonly line?: number;
}

export type Told =
  | AckLine
  /** An outcome that somebody was told. */
  | {
      readonly op: 'outcome';
      readonly workerId: string;
      readonly name: string;
      readonly outcome: string;
      readonly output?: unknown;
      readonly code?: string;
    }
  /** It was removed while it waited: it never ran. */
  | { readonly op: 'removed'; readonly workerId: string; readonly name: string }
  /** It was refused: it never ran. */
  | { readonly op: 'refused'; readonly workerId: string; readonly name: string; readonly code: string }
  /** Entries with a sequence above `after`, up to `to`, and the chain of them. */
  | {
      readonly op: 'read';
      readonly workerId: string;
      readonly after: number;
      readonly to: number;
      readonly chain: string;
    }
  /** What a worker is from now on. `unsure`: a command was sent, and its answer has not come. */
  | {
      readonly op: 'life';
      readonly workerId: string;
      readonly kind: string;
      readonly is: 'active' | 'stopped' | 'deleted' | 'unsure';
    };

export type Heard = Told & { readonly atUs: number };

export class HeardLog {
  readonly #file: number;

  constructor(folder: string, name: string) {
    this.#file = openSync(join(folder, `${name}.ndjson`), 'a');
  }

  write(told: Told): void {
    writeSync(this.#file, `${JSON.stringify({ ...told, atUs: nowUs() })}\n`);
  }
}

/** All lines of all clients, in the order of their times. */
export function readHeard(folder: string): Heard[] {
  const lines = readdirSync(folder)
    .filter((name) => name.endsWith('.ndjson'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  const heard = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Heard);
  return heard.sort((one, other) => one.atUs - other.atUs);
}

/** A handler that ran, as its actor said on the side. */
export interface Run {
  readonly workerId: string;
  readonly inputId: string;
  readonly name: string;
  readonly attempt: number;
}

export function readRuns(text: string): Run[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [workerId = '', inputId = '', name = '', attempt = ''] = line.split(' ');
      return { workerId, inputId, name, attempt: Number(attempt) };
    });
}
