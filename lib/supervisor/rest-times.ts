// When the workers of one host are to hibernate, by slot. An array of 32 bits each instead of a field of each worker, and no timer of
// their own: with a million idle workers either would be most of what they cost.

/** Longer than the times of any worker: looked at again after twelve days. */
const NEVER_MS = 2 ** 30;
const FIRST_SLOTS = 64;

export class RestTimes {
  /** On the clock of the runtime, as far as 32 bits hold it: only differences are looked at. */
  #atMs = new Int32Array(FIRST_SLOTS);

  /** `idleAfterMs` 0 is never. */
  set(slot: number, sinceMs: number, idleAfterMs: number): void {
    if (slot >= this.#atMs.length) this.#grow(slot);
    this.#atMs[slot] = (sinceMs + (idleAfterMs === 0 ? NEVER_MS : idleAfterMs)) | 0;
  }

  /** Zero or less once the time has come. */
  leftMs(slot: number, nowMs: number): number {
    return ((this.#atMs[slot] ?? 0) - nowMs) | 0;
  }

  #grow(slot: number): void {
    const larger = new Int32Array(Math.max(slot + 1, 2 * this.#atMs.length));
    larger.set(this.#atMs);
    this.#atMs = larger;
  }
}
