// Schemas that apply themselves to the same value: whoever checked a value against one would never end.

import { isObject } from '../protocol/payload.ts';
import { MAX_CYCLE_SEARCH } from './bounds.ts';
import type { SourceDocument } from './document.ts';
import { Unmappable, referenceOf } from './references.ts';
import type { References, Target } from './references.ts';
import { memberOf, membersOf } from './values.ts';

/** Keywords whose schemas apply to the same value: a way through them alone that leads back never ends. */
export const IN_PLACE = new Set(['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas']);

export class Cycles {
  readonly #references: References;
  /** By key: where schemas lead that apply in the same place. */
  readonly #applied = new Map<string, readonly Target[]>();

  constructor(references: References) {
    this.#references = references;
  }

  /** Whether schemas that apply in the same place lead from one to the other; what takes too long to find out does. */
  leadsTo(from: Target, goal: Target): boolean {
    const seen = new Map([[from.key, from]]);
    for (const [key, target] of seen) {
      if (key === goal.key || seen.size > MAX_CYCLE_SEARCH) return true;
      for (const next of this.#appliedBy(target)) if (!seen.has(next.key)) seen.set(next.key, next);
    }
    return false;
  }

  #appliedBy(target: Target): readonly Target[] {
    const known = this.#applied.get(target.key);
    if (known !== undefined) return known;
    const found: Target[] = [];
    this.#collect(target.value, target.document, found);
    this.#applied.set(target.key, found);
    return found;
  }

  #collect(schema: unknown, document: SourceDocument, found: Target[]): void {
    const reference = referenceOf(schema);
    if (reference !== null) {
      try {
        found.push(this.#references.locate(reference, document));
      } catch (error) {
        // What leads nowhere leads to no cycle; it is noted where it is translated.
        if (!(error instanceof Unmappable)) throw error;
      }
    }
    for (const keyword of IN_PLACE) {
      const value = memberOf(schema, keyword);
      const inner =
        keyword === 'dependentSchemas' ? Object.values(membersOf(value)) : Array.isArray(value) ? value : [value];
      for (const item of inner as unknown[]) if (isObject(item)) this.#collect(item, document, found);
    }
  }
}
