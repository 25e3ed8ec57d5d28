// Every contender by its name, so that a process can be told which one it is.

import type { Contender } from './contender.ts';
import { greenroom, linkAlone } from './greenroom.ts';
import { piscinaDefault, pools } from './pools.ts';
import { batchedPostMessage, comlink, postMessage } from './ports.ts';

export const ALL: readonly Contender[] = [
  postMessage,
  batchedPostMessage('values'),
  batchedPostMessage('JSON texts'),
  comlink,
  piscinaDefault,
  ...pools,
  linkAlone,
  greenroom(100),
  greenroom(1),
];

/** Throws for a name that nobody has. */
export function contenderOf(name: string): Contender {
  const found = ALL.find((contender) => contender.name === name);
  if (found === undefined) throw new Error(`no contender is called ${name}`);
  return found;
}
