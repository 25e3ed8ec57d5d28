// Every contender by its key, so that a process can be told which one it is.

import type { Contender } from './contender.ts';
import { greenroom, linkAlone } from './greenroom.ts';
import type { GreenroomOptions } from './greenroom.ts';
import { bareUndici, httpFunction } from './http.ts';
import { piscinaDefault, pools } from './pools.ts';
import { bareLoops, comlink, postMessage } from './ports.ts';
import { bareSocket, rawRemote, sdkRemote } from './remotes.ts';

export const ALL: readonly Contender[] = [
  postMessage,
  ...bareLoops,
  comlink,
  piscinaDefault,
  ...pools,
  linkAlone,
  bareSocket,
  rawRemote,
  sdkRemote,
  bareUndici,
  httpFunction,
];

/** By name, or by the options of ours as JSON. Throws for a name that nobody has. */
export function contenderOf(key: string): Contender {
  if (key.startsWith('{')) return greenroom(JSON.parse(key) as GreenroomOptions);
  const found = ALL.find((contender) => contender.name === key);
  if (found === undefined) throw new Error(`no contender is called ${key}`);
  return found;
}
