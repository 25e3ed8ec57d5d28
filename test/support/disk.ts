// The disk of every durable store of a test: it writes, or it fails, or it takes its time, as the test says.

import type { TestContext } from 'node:test';
import { Environment } from '../../lib/lmdb/environment.ts';

type Change = Parameters<Environment['write']>[0];

export class Disk {
  #isBroken = false;
  #isHeld = false;
  #held: (() => void)[] = [];
  /** Writes that it was asked for. */
  writes = 0;

  constructor(t: TestContext) {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its environment
    const { write } = Environment.prototype;
    const before = (): Promise<void> => this.#before();
    t.mock.method(Environment.prototype, 'write', async function (this: Environment, change: Change) {
      await before();
      await write.call(this, change);
    });
    t.after(() => this.mend());
  }

  /** From now on nothing can be written. */
  fail(): void {
    this.#isBroken = true;
    this.#release();
  }

  /** From now on nothing is written, and nothing fails. */
  hold(): void {
    this.#isHeld = true;
  }

  /** It writes again, also what it held. */
  mend(): void {
    this.#isBroken = false;
    this.#release();
  }

  async #before(): Promise<void> {
    this.writes++;
    if (this.#isHeld) await new Promise<void>((resolve) => this.#held.push(resolve));
    if (this.#isBroken) throw new Error('no space left');
  }

  #release(): void {
    this.#isHeld = false;
    const held = this.#held;
    this.#held = [];
    for (const resolve of held) resolve();
  }
}
