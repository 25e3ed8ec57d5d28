// A first in, first out line without a bound of its own. An array's `shift` moves all that follow once they are many
// (measured: 100,000 workers that wait for their host's window made asks ten times slower); this one moves each element once.

export class Fifo<T> {
  #elements: T[] = [];
  /** How many of them have been taken; they are cut off when they are the larger part. */
  #taken = 0;

  get length(): number {
    return this.#elements.length - this.#taken;
  }

  push(element: T): void {
    this.#elements.push(element);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const element = this.#elements[this.#taken++];
    if (2 * this.#taken >= this.#elements.length) {
      this.#elements = this.#elements.slice(this.#taken);
      this.#taken = 0;
    }
    return element;
  }
}
