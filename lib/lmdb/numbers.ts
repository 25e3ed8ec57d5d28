// Numbers that a store gives once and never again, whatever becomes of its process: of inputs, and of what has an order. What is on disk is
// a number that none of this run reaches; the next run begins there.

/** Numbers of inputs that a run may give beyond the highest one that is on disk: what one group can bring is far less. */
const RESERVED_SEQS = 1_000_000;
/** Ordinals of one run. */
const RUN_ORDINALS = 2 ** 32;

export class Numbers {
  /** Which opening of the store this is. */
  readonly run: number;
  #firstSeq = 1;
  #nextSeq = 1;
  #ordinals = 0;

  constructor(run: number) {
    this.run = run;
  }

  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** Above all inputs so far. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** Inputs of this run may have any number below it, once it is on disk. */
  get reservedSeq(): number {
    return this.#nextSeq + RESERVED_SEQS;
  }

  /** Inputs of earlier runs have numbers below it. */
  beginAt(seq: number): void {
    this.#firstSeq = this.#nextSeq = seq;
  }

  sawSeq(seq: number): void {
    if (seq >= this.#nextSeq) this.#nextSeq = seq + 1;
  }

  /** Above all that were given before, by this run and by earlier ones. */
  ordinal(): number {
    return this.run * RUN_ORDINALS + this.#ordinals++;
  }
}
