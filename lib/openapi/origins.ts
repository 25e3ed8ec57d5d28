// Where the operations of a document lead: each origin is looked at once when the document is read, and again at each call.

import type { Egress } from '../egress/egress.ts';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import { MAX_ORIGINS } from './bounds.ts';

export class Origins {
  readonly #egress: Pick<Egress, 'check'>;
  readonly #signal: AbortSignal;
  readonly #verdicts = new Map<string, GreenroomError | null>();
  firstRefusal: GreenroomError | null = null;

  constructor(egress: Pick<Egress, 'check'>, signal: AbortSignal) {
    this.#egress = egress;
    this.#signal = signal;
  }

  /** Null: requests may go there, as it is now. */
  async refusalOf(baseUrl: string): Promise<GreenroomError | null> {
    const { origin } = new URL(baseUrl);
    const known = this.#verdicts.get(origin);
    if (known !== undefined) return known;
    if (this.#verdicts.size === MAX_ORIGINS) {
      return GreenroomError.of('invalid_source', { message: `The document has more than ${MAX_ORIGINS} servers.` });
    }
    const refusal = await this.#egress.check(baseUrl, 'public', this.#signal).then(
      () => null,
      (error: unknown) => asGreenroomError(error),
    );
    this.#signal.throwIfAborted();
    this.#verdicts.set(origin, refusal);
    this.firstRefusal ??= refusal;
    return refusal;
  }
}
