// All faults. faults*.test.ts hold the runtime to them, embedded and over REST; faults-doc.ts makes docs/faults.md of them.

import type { Fault } from './fault.ts';
import { ENDS, FLOODS, HANGS, LATE, MEMORY } from './fault-deaths.ts';
import { ERRORS, LEFT_BEHIND, MEDDLERS, ODD_ANSWERS } from './fault-errors.ts';

/** All of them, in the sections of docs/faults.md. */
export const SECTIONS: Readonly<Record<string, readonly Fault[]>> = {
  'Errors and answers': [...ERRORS, ...ODD_ANSWERS],
  'What is left behind': [...LEFT_BEHIND, ...MEDDLERS],
  'Ends of a thread or a process': ENDS,
  Hangs: [...HANGS, ...LATE],
  'Floods and memory': [...FLOODS, ...MEMORY],
};

const version = process.versions.node.startsWith('20.') ? '20' : 'later';

/** Those that this version of Node has. */
export const FAULTS: readonly Fault[] = Object.values(SECTIONS)
  .flat()
  .filter(({ onNode = version }) => onNode === version);
