// What the CLI says to people, on stderr: one line each, so that a supervisor's journal shows the whole of it.

import { GreenroomError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import { problemsOf } from '../protocol/issues.ts';

/** Why the runtime cannot start. The message is printed as it is: it may name paths that the operator gave. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart';
}

export function say(line: string): void {
  process.stderr.write(`greenroom: ${line.replace(/\s*[\r\n]+\s*/g, ' ').trim()}\n`);
}

/** What others wrote must not command the terminal. */
export function clean(line: string): string {
  return line.replace(/(?!\t)\p{C}/gu, ' ');
}

/** Says which keys are wrong, which the message of an error leaves to its details. */
export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof GreenroomError)) throw thrown;
    const { code, message } = thrown;
    throw new CannotStart(clean([`${message} (${code})`, ...problemsOf(thrown)].join('; ')), { cause: thrown });
  }
}

let report = (thrown: unknown): void => {
  const { error_name, error_message } = describeError(thrown);
  say(`${error_name}: ${error_message}`);
};

/** Replaces how an error that nobody caught is reported before the process ends. */
export function reportFatalWith(replacement: (thrown: unknown) => void): void {
  report = replacement;
}

/** Node hands unhandled rejections to the same handler. After either, the state of the process is unknown: it ends. */
export function exitOnFatal(): void {
  process.on('uncaughtException', (thrown) => {
    try {
      report(thrown);
    } finally {
      process.exit(1);
    }
  });
}
