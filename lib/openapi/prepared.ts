// Operations that are in use, parsed. A source may have thousands, of which few are called: they are kept as texts, and what was called
// last as objects.

import { unpackText } from '../protocol/packed.ts';
import type { PackedText } from '../protocol/packed.ts';
import { MAX_PREPARED_CHARS, MAX_PREPARED_OPERATIONS, MAX_STEPS } from './bounds.ts';
import type { Operation } from './operation.ts';
import { PayloadSchema } from './validation.ts';

export interface PreparedOperation {
  readonly operation: Operation;
  readonly schema: PayloadSchema;
}

/** What is kept encoded. */
export interface OperationTexts {
  /** An Operation. */
  readonly operation: string;
  /** A JSON Schema. */
  readonly requestFormat: PackedText;
}

/** The least recently used goes first. */
export class PreparedOperations {
  readonly #kept = new Map<OperationTexts, { readonly prepared: PreparedOperation; readonly chars: number }>();
  #chars = 0;

  /** Throws `invalid_source` when the schema cannot be used. */
  get(texts: OperationTexts): PreparedOperation {
    const known = this.#kept.get(texts);
    if (known !== undefined) {
      this.#kept.delete(texts);
      this.#kept.set(texts, known);
      return known.prepared;
    }
    const operation = JSON.parse(texts.operation) as Operation;
    const requestFormat = unpackText(texts.requestFormat);
    const prepared = { operation, schema: new PayloadSchema(requestFormat, MAX_STEPS) };
    const chars = texts.operation.length + requestFormat.length;
    this.#kept.set(texts, { prepared, chars });
    this.#chars += chars;
    this.#makeRoom();
    return prepared;
  }

  /** One that is larger than all of them may be is kept while it is the only one. */
  #makeRoom(): void {
    for (const [texts, { chars }] of this.#kept) {
      if (this.#kept.size === 1 || (this.#kept.size <= MAX_PREPARED_OPERATIONS && this.#chars <= MAX_PREPARED_CHARS))
        return;
      this.#kept.delete(texts);
      this.#chars -= chars;
    }
  }

  get size(): number {
    return this.#kept.size;
  }
}
