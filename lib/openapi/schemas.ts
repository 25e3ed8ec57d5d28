// A schema of a document as the validator may have it. Documents are written by anybody: keywords that it does not know or that hold
// something else than they should are left out, what could stall the loop is bounded, and every step of a validation is counted.

import { isObject } from '../protocol/payload.ts';
import { patternMaxChars } from './pattern-cost.ts';

/** Lists longer than this are not compared item by item. */
const UNIQUE_MAX_ITEMS = 1_000;

type Kind =
  | 'any'
  | 'schema'
  | 'schemas'
  | 'map'
  | 'number'
  | 'count'
  | 'true'
  | 'text'
  | 'texts'
  | 'list'
  | 'type'
  | 'mapOfTexts';

/** `format` is not among them: in 2020-12 it is a note, and documents use it as one. */
const KEYWORDS: Readonly<Record<string, Kind>> = {
  $ref: 'text',
  $defs: 'map',
  type: 'type',
  enum: 'list',
  const: 'any',
  allOf: 'schemas',
  anyOf: 'schemas',
  oneOf: 'schemas',
  not: 'schema',
  if: 'schema',
  then: 'schema',
  else: 'schema',
  properties: 'map',
  patternProperties: 'map',
  additionalProperties: 'schema',
  unevaluatedProperties: 'schema',
  propertyNames: 'schema',
  required: 'texts',
  dependentRequired: 'mapOfTexts',
  dependentSchemas: 'map',
  minProperties: 'count',
  maxProperties: 'count',
  prefixItems: 'schemas',
  items: 'schema',
  unevaluatedItems: 'schema',
  contains: 'schema',
  minContains: 'count',
  maxContains: 'count',
  minItems: 'count',
  maxItems: 'count',
  uniqueItems: 'true',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
  multipleOf: 'number',
  minLength: 'count',
  maxLength: 'count',
  pattern: 'text',
};

const TYPES = new Set(['null', 'boolean', 'number', 'integer', 'string', 'array', 'object']);

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
    const value = countedValue(schema[keyword], kind, steps);
    if (value !== undefined) counted[keyword] = value;
  }
  boundPatterns(counted, steps);
  boundUnique(counted, steps);
  return counted;
}

/** Undefined: not what the keyword takes. */
function countedValue(value: unknown, kind: Kind, steps: Steps): unknown {
  const isText = (each: unknown): boolean => typeof each === 'string';
  switch (kind) {
    case 'any':
      return value;
    case 'schema':
      return isObject(value) || typeof value === 'boolean' ? countedSchema(value, steps) : undefined;
    case 'schemas':
      return Array.isArray(value) && value.length > 0 ? value.map((each) => countedSchema(each, steps)) : undefined;
    case 'map':
      return isObject(value) ? mapValues(value, (each) => countedSchema(each, steps)) : undefined;
    case 'mapOfTexts':
      return isObject(value) && Object.values(value).every((each) => Array.isArray(each) && each.every(isText))
        ? value
        : undefined;
    case 'number':
      return typeof value === 'number' ? value : undefined;
    case 'count':
      return typeof value === 'number' && value >= 0 ? value : undefined;
    case 'true':
      return value === true ? true : undefined;
    case 'text':
      return isText(value) ? value : undefined;
    case 'texts':
      return Array.isArray(value) && value.every(isText) ? value : undefined;
    case 'list':
      return Array.isArray(value) ? value : undefined;
    case 'type': {
      const types: unknown[] = Array.isArray(value) ? value : [value];
      return types.length > 0 && types.every((each) => TYPES.has(each as string)) ? value : undefined;
    }
    default:
      return kind satisfies never;
  }
}

/** Without a prototype: a property may have any name. */
function mapValues(map: Record<string, unknown>, each: (value: unknown) => unknown): Record<string, unknown> {
  const mapped = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of Object.entries(map)) mapped[key] = each(value);
  return mapped;
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
  const isCheap = (each: string): boolean => patternMaxChars(each) >= PROPERTY_NAME_CHARS;
  if (Object.keys(patternProperties as object).every(isCheap)) {
    const tooLong = counted({ propertyNames: counted({ maxLength: PROPERTY_NAME_CHARS }, steps) }, steps);
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

const PROPERTY_NAME_CHARS = 256;

/** Each item is compared with each. */
function boundUnique(schema: Record<string, unknown>, steps: Steps): void {
  if (schema['uniqueItems'] === undefined) return;
  delete schema['uniqueItems'];
  addCondition(schema, { maxItems: UNIQUE_MAX_ITEMS }, { uniqueItems: true }, steps);
}

function addCondition(schema: Record<string, unknown>, when: object, then: object, steps: Steps): void {
  const condition = counted({ if: counted(when, steps), then: counted(then, steps) }, steps);
  schema['allOf'] = [...((schema['allOf'] as unknown[] | undefined) ?? []), condition];
}

function counted(keywords: object, steps: Steps): object {
  return Object.assign(Object.create(steps.prototype) as object, keywords);
}
