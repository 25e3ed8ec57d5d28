// Places at which the process can be made to die, for the proof that it survives: with GREENROOM_FAULT=NAME:COUNT in its environment
// it kills itself, as `kill -9` would, when it passes the point of that name for the COUNT-th time, and says so on stderr first.
// Without the variable a passage costs one comparison. It is in the production code because what is proved has to be what runs.

import { writeSync } from 'node:fs';

/**
 * A commit about to begin · on disk, and told to nobody · a group being recovered · a worker being folded · entries being dropped · a copy
 * half made · rows of an older version rewritten, and more to come.
 */
export const FAULT_POINTS = ['before-commit', 'after-commit', 'recovery', 'fold', 'trim', 'backup', 'upgrade'] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];

const STDERR = 2;

const armed = readArmed(process.env['GREENROOM_FAULT']);
let passagesLeft = armed?.count ?? 0;

/** Passes the point: the process does not come back from the passage that was asked for. */
export function fault(name: FaultPoint): void {
  if (armed === undefined || name !== armed.name || --passagesLeft !== 0) return;
  writeSync(STDERR, `fault ${name} fired\n`);
  process.kill(process.pid, 'SIGKILL');
}

/** Throws a RangeError for a value that names no point: a proof that never fires must not look like one that passed. */
function readArmed(text: string | undefined): { readonly name: string; readonly count: number } | undefined {
  if (text === undefined || text === '') return undefined;
  const [name = '', count = ''] = text.split(':');
  const isKnown = (FAULT_POINTS as readonly string[]).includes(name);
  if (!isKnown || !/^[1-9]\d{0,8}$/.test(count)) {
    throw new RangeError(`GREENROOM_FAULT must be NAME:COUNT with a name of ${FAULT_POINTS.join(', ')}`);
  }
  return { name, count: Number(count) };
}
