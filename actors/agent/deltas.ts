// The text of the answers as entries of the transcript while it streams. The transcript is bounded and so they are gathered: the longer
// an answer takes, the more of it goes into one entry.

import type { AgentContext } from './conversation.ts';

/** Deltas are gathered for this long; twice as long after every BATCHES_PER_PACE. */
const BATCH_MS = 100;
const BATCHES_PER_PACE = 16;
const MAX_BATCH_CHARS = 32_768;

export class Deltas {
  readonly #ctx: AgentContext;
  #text = '';
  #timer: NodeJS.Timeout | undefined;
  #batches = 0;
  #failure: Error | undefined;

  constructor(ctx: AgentContext) {
    this.#ctx = ctx;
  }

  /** Throws what a batch that was due meanwhile has thrown. */
  push(text: string): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (text === '') return;
    this.#text += text;
    if (this.#text.length >= MAX_BATCH_CHARS) this.flush();
    else
      this.#timer ??= setTimeout(() => this.#flushDue(), BATCH_MS * 2 ** Math.floor(this.#batches / BATCHES_PER_PACE));
  }

  flush(): void {
    this.close();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#text === '') return;
    const delta = this.#text;
    this.#text = '';
    this.#batches++;
    this.#ctx.emit({ delta });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #flushDue(): void {
    try {
      this.flush();
    } catch (thrown) {
      // Nobody catches what a timer throws: it would end the host.
      this.#failure = thrown as Error;
    }
  }
}
