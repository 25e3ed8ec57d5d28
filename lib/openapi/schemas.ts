// A schema of a document as the validator may have it. Documents are written by anybody: keywords that it does not know or that hold
// something else than they should are left out, what could stall the loop is bounded, and every step of a validation is counted.

import { isObject } from '../protocol/payload.ts';
import { MAX_TRIED_NAME_CHARS, MAX_UNIQUE_ITEMS } from './bounds.ts';
import { patternMaxChars } from './pattern-cost.ts';
import { CHECKED, keywordValue, typesOf } from './schema-keywords.ts';
import type { Kinds } from './schema-keywords.ts';

const KEYWORDS: Kinds = { ...CHECKED, $ref: 'text', $defs: 'named', pattern: 'text' };

export type PlainSchema = Record<string, unknown> | boolean;

/** Throws when a validation takes more than it may. */
export class StepsExceeded extends Error {}

/** Counts the steps of validations. */
export class Steps {
  /** Set before each. */
  left = 0;
  /** What all counted schemas inherit: the validator reads this key of every schema at every step, and none of ours has it. */
  readonly prototype = Object.create(null, { __absolute_recursive_ref__: { get: () => this.#spend() } }) as object;

  #spend(): undefined {
    if (--this.left < 0) throw new StepsExceeded();
    return undefined;
  }
}

/** The part of a schema that can be checked, and whose steps count. */
export function countedSchema(schema: unknown, steps: Steps): PlainSchema {
  if (!isObject(schema)) return schema !== false;
  const counted = Object.create(steps.prototype) as Record<string, unknown>;
  for (const [keyword, kind] of Object.entries(KEYWORDS)) {
    if (!Object.hasOwn(schema, keyword)) continue;
    const value = keywordValue(kind, schema[keyword], (inner) => countedSchema(inner, steps));
    if (value !== undefined) counted[keyword] = value;
  }
  const types = typesOf(schema['type']);
  if (types !== undefined) counted['type'] = types;
  boundPatterns(counted, steps);
  boundUnique(counted, steps);
  return counted;
}

// --- what costs more than its steps ---

/** A pattern is tried on texts for which it is cheap. */
function boundPatterns(schema: Record<string, unknown>, steps: Steps): void {
  const { pattern, patternProperties } = schema;
  if (typeof pattern === 'string') {
    delete schema['pattern'];
    const maxLength = patternMaxChars(pattern);
    if (maxLength > 0) addCondition(schema, { maxLength }, { pattern }, steps);
  }
  if (patternProperties === undefined) return;
  const isCheap = (each: string): boolean => patternMaxChars(each) >= MAX_TRIED_NAME_CHARS;
  if (Object.keys(patternProperties as object).every(isCheap)) {
    const tooLong = counted({ propertyNames: counted({ maxLength: MAX_TRIED_NAME_CHARS }, steps) }, steps);
    const { additionalProperties } = schema;
    delete schema['patternProperties'];
    delete schema['additionalProperties'];
    const then = { properties: schema['properties'] ?? {}, patternProperties };
    addCondition(schema, tooLong, additionalProperties === undefined ? then : { ...then, additionalProperties }, steps);
    return;
  }
  // Which properties are additional cannot be told without it.
  for (const keyword of ['patternProperties', 'additionalProperties', 'unevaluatedProperties']) delete schema[keyword];
}

/** Each item is compared with each. */
function boundUnique(schema: Record<string, unknown>, steps: Steps): void {
  if (schema['uniqueItems'] === undefined) return;
  delete schema['uniqueItems'];
  addCondition(schema, { maxItems: MAX_UNIQUE_ITEMS }, { uniqueItems: true }, steps);
}

function addCondition(schema: Record<string, unknown>, when: object, then: object, steps: Steps): void {
  const condition = counted({ if: counted(when, steps), then: counted(then, steps) }, steps);
  schema['allOf'] = [...((schema['allOf'] as unknown[] | undefined) ?? []), condition];
}

function counted(keywords: object, steps: Steps): object {
  return Object.assign(Object.create(steps.prototype) as object, keywords);
}
