// Receipts of one batch in the order of its lines. With a durable store an input is accepted some lines after it was delivered: meanwhile
// its receipt stands here, and what comes after it waits behind it. Without one nothing ever waits.

import type { GreenroomError } from '../errors.ts';
import type { InputListener, InputRecord } from '../supervisor/input.ts';
import { MAX_UNKEPT_BYTES, MAX_UNKEPT_LINES } from './bounds.ts';

/** The text of a receipt, or the input that it will be of. */
export type Receipt = string | InputRecord;

export interface ReceiptTexts {
  ack(record: InputRecord): string;
  error(error: GreenroomError): string;
}

export class ReceiptLine implements InputListener {
  readonly #texts: ReceiptTexts;
  /** Some at the front may be known now. Told once for all that a store tells in one go. */
  readonly #onKnown: () => void;
  #line: Receipt[] = [];
  /** Place of the front in `#line`. */
  #at = 0;
  #bytes = 0;
  /** Why the store could not keep them; empty unless its disk is in trouble. */
  readonly #refused = new Map<InputRecord, GreenroomError>();
  #isTelling = false;

  constructor(texts: ReceiptTexts, onKnown: () => void) {
    this.#texts = texts;
    this.#onKnown = onKnown;
  }

  get isEmpty(): boolean {
    return this.#at === this.#line.length;
  }

  /** More is not to be read before some are known. */
  get isFull(): boolean {
    return this.#line.length - this.#at >= MAX_UNKEPT_LINES || this.#bytes >= MAX_UNKEPT_BYTES;
  }

  /** The text of a receipt that nothing waits in front of, if it is known; it joins the line otherwise, and the answer is empty. */
  pass(receipt: Receipt): string {
    const isText = typeof receipt === 'string';
    if (this.isEmpty && (isText || receipt.isAccepted)) return isText ? receipt : this.#texts.ack(receipt);
    this.#line.push(receipt);
    if (!isText && !receipt.isAccepted) {
      this.#bytes += receipt.bytes;
      receipt.addListener(this);
    }
    return '';
  }

  /** Takes the receipts that are known from the front: one line of text each. */
  take(): string {
    let text = '';
    for (; !this.isEmpty; this.#at++) {
      const known = this.#textOf(this.#line[this.#at] as Receipt);
      if (known === null) break;
      text += `${known}\n`;
    }
    if (this.isEmpty) {
      this.#line = [];
      this.#at = 0;
      this.#refused.clear();
    } else if (this.#at >= MAX_UNKEPT_LINES) {
      this.#line = this.#line.slice(this.#at);
      this.#at = 0;
    }
    return text;
  }

  // --- told by the inputs ---

  accepted(record: InputRecord): void {
    this.#settled(record);
  }

  refused(record: InputRecord, error: GreenroomError): void {
    this.#refused.set(record, error);
    this.#settled(record);
  }

  /** Never before one of the others. */
  ended(): void {}

  #settled(record: InputRecord): void {
    record.removeListener(this);
    this.#bytes -= record.bytes;
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      this.#onKnown();
    });
  }

  #textOf(receipt: Receipt): string | null {
    if (typeof receipt === 'string') return receipt;
    if (receipt.isAccepted) return this.#texts.ack(receipt);
    const error = this.#refused.get(receipt);
    return error === undefined ? null : this.#texts.error(error);
  }
}
