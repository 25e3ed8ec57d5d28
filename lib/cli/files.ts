// Files that a command is given.

import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { describeError } from '../observe/log.ts';
import { CannotStart } from './say.ts';

/** Throws `CannotStart` for a file that cannot be read, or is larger than what is asked for can be. */
export function readText(file: string, maxBytes: number, what: string): string {
  try {
    const path = resolve(file);
    if (statSync(path).size > maxBytes) throw new CannotStart(`${file}: is larger than any ${what}`);
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof CannotStart) throw thrown;
    throw new CannotStart(`${file}: cannot be read (${describeError(thrown).error_code ?? 'unknown'})`, {
      cause: thrown,
    });
  }
}
