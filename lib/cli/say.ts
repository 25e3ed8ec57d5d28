// What the CLI says to people, on stderr: one line each, so that a supervisor's journal shows the whole of it.

import { describeError } from '../observe/log.ts';

/** Why the runtime cannot start. The message is printed as it is: it may name paths that the operator gave. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart';
}

export function say(line: string): void {
  process.stderr.write(`greenroom: ${line.replace(/\s*[\r\n]+\s*/g, ' ').trim()}\n`);
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
