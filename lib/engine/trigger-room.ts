// How much room trigger types and triggers take, for each holder and in all: nothing that peers register may grow without a bound.

import { MAX_TRIGGER_BYTES, MAX_TRIGGERS, TRIGGER_BYTES_PER_REMOTE, TRIGGERS_PER_REMOTE } from './bounds.ts';

type Account = { count: number; bytes: number };

export class TriggerRoom<Holder> {
  readonly #all: Account = { count: 0, bytes: 0 };
  readonly #of = new Map<Holder, Account>();

  /** Takes room for one, in the place of one that took `insteadBytes` if that is given. False when there is none: then nothing changes. */
  take(holder: Holder, bytes: number, insteadBytes?: number): boolean {
    const own = this.#of.get(holder) ?? { count: 0, bytes: 0 };
    const count = insteadBytes === undefined ? 1 : 0;
    const more = bytes - (insteadBytes ?? 0);
    if (own.count + count > TRIGGERS_PER_REMOTE || this.#all.count + count > MAX_TRIGGERS) return false;
    if (own.bytes + more > TRIGGER_BYTES_PER_REMOTE || this.#all.bytes + more > MAX_TRIGGER_BYTES) return false;
    this.#of.set(holder, own);
    this.#add(own, count, more);
    return true;
  }

  /** Gives back what one `take` took. */
  give(holder: Holder, bytes: number): void {
    const own = this.#of.get(holder);
    if (own === undefined) return;
    this.#add(own, -1, -bytes);
    if (own.count === 0) this.#of.delete(holder);
  }

  #add(own: Account, count: number, bytes: number): void {
    for (const account of [own, this.#all]) {
      account.count += count;
      account.bytes += bytes;
    }
  }
}
