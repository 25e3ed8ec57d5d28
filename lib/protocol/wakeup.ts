// One task that waits, now for this and now for that: whatever it waits for wakes it, and it looks for itself. Each wait has a deadline.

import assert from 'node:assert/strict';

export class Wakeup {
  #resolve: ((isAwake: boolean) => void) | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** True once somebody calls `wake`; false once `ms` have passed, and at once when it is closed. */
  wait(ms: number): Promise<boolean> {
    assert.equal(this.#resolve, null, 'one wait at a time');
    if (this.#isClosed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#timer = setTimeout(() => this.#settle(false), ms);
    });
  }

  /** Does nothing when nobody waits: who waits has looked just before. */
  readonly wake = (): void => this.#settle(true);

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** There is nothing left to wait for. */
  close(): void {
    this.#isClosed = true;
    this.#settle(false);
  }

  #settle(isAwake: boolean): void {
    const resolve = this.#resolve;
    if (resolve === null) return;
    this.#resolve = null;
    clearTimeout(this.#timer);
    resolve(isAwake);
  }
}
