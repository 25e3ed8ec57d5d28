// A store that has everything in memory and says that it is durable: what it is given is kept when the test says so, not before.

import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import type { StoredInput, StoreEvents } from '../../lib/store/store.ts';

export class HeldStore {
  #events: StoreEvents | null = null;
  #store: MemoryStore | null = null;
  #told: ((events: StoreEvents) => void)[] = [];
  #isHeld = false;

  /** Stands in for the memory store of the next runtime that is made in the test; say `store: 'memory'` there. */
  constructor(t: TestContext) {
    const connect = (store: MemoryStore, events: StoreEvents): void => {
      Object.assign(store, { isDurable: true });
      this.#store = store;
      this.#events = events;
      store.events = {
        accepted: (input) => this.#tell(input, (to) => to.accepted(input)),
        refused: (input, error) => this.#tell(input, (to) => to.refused(input, error)),
        started: (input) => this.#tell(input, (to) => to.started(input)),
        ended: (input, ending) => this.#tell(input, (to) => to.ended(input, ending)),
      };
    };
    t.mock.method(MemoryStore.prototype, 'connect', function (this: MemoryStore, events: StoreEvents) {
      connect(this, events);
    });
    t.after(() => this.release());
  }

  /** From now on nothing is kept; what is volatile is not waited for. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Keeps all that it was given, and everything from now on. */
  release(): void {
    this.#isHeld = false;
    this.#flush();
  }

  /** Keeps what it was given so far, and holds what follows from it. */
  commit(): void {
    this.#flush();
  }

  /** Cannot keep the inputs that it was given; everything from now on it can. */
  refuse(): void {
    this.#isHeld = false;
    const error = GreenroomError.of('runtime_unavailable', { details: { reason: 'store_failed' } });
    const refused = new Set<StoredInput>();
    const tell = this.#told;
    this.#told = [];
    for (const told of tell)
      told({
        accepted: (input) => {
          refused.add(input);
          this.#events?.refused(input, error);
        },
        refused: () => undefined,
        started: (input) => void (refused.has(input) || this.#events?.started(input)),
        ended: (input, ending) => void (refused.has(input) || this.#events?.ended(input, ending)),
      });
  }

  /** From now on it says that it cannot write. */
  fail(message: string): void {
    const details = { reason: 'store_failed' };
    Object.assign(this.#store ?? {}, { trouble: GreenroomError.of('runtime_unavailable', { message, details }) });
  }

  /** It can write again. */
  recover(): void {
    Object.assign(this.#store ?? {}, { trouble: null });
  }

  /** How many things it has not kept. */
  get pending(): number {
    return this.#told.length;
  }

  #flush(): void {
    const tell = this.#told;
    this.#told = [];
    for (const told of tell) if (this.#events !== null) told(this.#events);
  }

  #tell({ isVolatile }: StoredInput, told: (events: StoreEvents) => void): void {
    if (this.#isHeld && !isVolatile) this.#told.push(told);
    else if (this.#events !== null) told(this.#events);
  }
}
