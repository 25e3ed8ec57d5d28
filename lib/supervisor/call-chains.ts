// Who waits for whom: an edge for each ask, or call of an actor's function, that a handler has open. A worker handles one input at a time,
// and what it is asked waits behind that; so an ask whose target waits, by whatever way, for the one that asks would only ever end by its
// deadline. It is refused instead.
//
// Asks from outside wait for a worker but nobody waits for them, so only those of actors are here. An edge holds as long as the input that
// asked is being handled and the ask is open; both end by a deadline, and so does the edge.

import { GreenroomError } from '../errors.ts';

/** Workers of a chain that its error lists; of a longer one it tells how many there are. */
const MAX_LISTED = 32;

/** An input that is being handled. */
export interface Asker {
  readonly workerId: string;
  /** Which run of it this is. */
  readonly attempt: number;
  readonly isSent: boolean;
  readonly isDecided: boolean;
}

interface Wait {
  readonly asker: Asker;
  readonly attempt: number;
  readonly target: string;
}

export class CallChains {
  readonly #find: (workerId: string, inputSeq: number) => Asker | undefined;
  /** Open asks by the worker that asks. */
  readonly #waits = new Map<string, Set<Wait>>();

  /** @param find the input of a worker that is at its host */
  constructor(find: (workerId: string, inputSeq: number) => Asker | undefined) {
    this.#find = find;
  }

  /**
   * A worker asks another while it handles the input of that number. Throws `call_cycle`, with the ids of the workers as `details.chain`, if
   * it would wait for itself. What is returned is to be called once when the ask has settled.
   */
  open(workerId: string, inputSeq: number, target: string): () => void {
    const asker = this.#find(workerId, inputSeq);
    // Its handler has ended, or its host is dead: it waits for nothing.
    if (asker === undefined) return () => undefined;
    const chain = this.#chainTo(target, workerId);
    if (chain !== null) throw cycleError([workerId, ...chain]);
    const wait = { asker, attempt: asker.attempt, target };
    const waits = this.#waits.get(workerId) ?? new Set();
    this.#waits.set(workerId, waits.add(wait));
    return () => {
      // Once it was empty, another may have taken its place.
      if (waits.delete(wait) && waits.size === 0 && this.#waits.get(workerId) === waits) this.#waits.delete(workerId);
    };
  }

  /** Workers from `start` to `end`, of which each waits for the next; null if there is no such way. */
  #chainTo(start: string, end: string): string[] | null {
    const cameFrom = new Map<string, string | null>([[start, null]]);
    // A map is walked in the order of its insertions, those made meanwhile included.
    for (const workerId of cameFrom.keys()) {
      if (workerId === end) return wayTo(workerId, cameFrom);
      for (const wait of this.#waits.get(workerId) ?? [])
        if (isHeld(wait) && !cameFrom.has(wait.target)) cameFrom.set(wait.target, workerId);
    }
    return null;
  }
}

function cycleError(chain: readonly string[]): GreenroomError {
  const isCut = chain.length > MAX_LISTED;
  return GreenroomError.of('call_cycle', {
    details: { chain: chain.slice(0, MAX_LISTED), ...(isCut && { workers: chain.length - 1 }) },
  });
}

/** The run that asked goes on. */
function isHeld({ asker, attempt }: Wait): boolean {
  return asker.isSent && !asker.isDecided && asker.attempt === attempt;
}

function wayTo(workerId: string, cameFrom: ReadonlyMap<string, string | null>): string[] {
  const way: string[] = [];
  for (let at: string | null = workerId; at !== null; at = cameFrom.get(at) ?? null) way.push(at);
  return way.reverse();
}
