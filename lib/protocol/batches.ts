// Whether the batches of a lane come as they were sent. A port of Node never loses, repeats or swaps a message; a pipe, a socket or a
// simulation may. What is repeated is ignored; after a gap nothing that follows can be trusted, and the host is given up.

import type { Batch } from './frames.ts';

/** The wire to a host does not carry what it is given. */
export class LinkFault extends Error {
  override readonly name = 'LinkFault';
}

/** The receiving end of one lane. */
export class BatchCount {
  /** How many have come. */
  received = 0;

  /** False for one that has come before. Throws LinkFault if others should have come first. */
  isNext({ numbers }: Batch): boolean {
    const number = numbers[numbers.length - 1] as number;
    if (number <= this.received) return false;
    if (number !== this.received + 1) throw new LinkFault(`batch ${number} came after batch ${this.received}`);
    this.received = number;
    return true;
  }
}
