// What the keywords of JSON Schema 2020-12 hold. Documents are written by anybody: a keyword that holds something else says nothing, and is
// left out, both of what is read and of what payloads are checked against.

import { isObject } from '../protocol/payload.ts';

export type Kind =
  'number' | 'count' | 'text' | 'texts' | 'flag' | 'list' | 'any' | 'schema' | 'schemas' | 'named' | 'namedTexts';
export type Kinds = Readonly<Record<string, Kind>>;

/** Those that a value is checked against, but for `type`, `pattern` and references, which each have a rule of their own. */
export const CHECKED: Kinds = {
  ...kinds('number', 'multipleOf maximum minimum exclusiveMaximum exclusiveMinimum'),
  ...kinds('count', 'maxLength minLength maxItems minItems maxContains minContains maxProperties minProperties'),
  ...kinds('flag', 'uniqueItems'),
  ...kinds('texts', 'required'),
  ...kinds('list', 'enum'),
  ...kinds('any', 'const'),
  ...kinds('schema', 'items contains additionalProperties propertyNames unevaluatedItems unevaluatedProperties'),
  ...kinds('schema', 'not if then else'),
  ...kinds('schemas', 'allOf anyOf oneOf prefixItems'),
  ...kinds('named', 'properties patternProperties dependentSchemas'),
  ...kinds('namedTexts', 'dependentRequired'),
};

/** Those that only say something of a value. `format` is among them: in 2020-12 it is a note, and documents use it as one. */
export const NOTES: Kinds = {
  ...kinds('text', 'title description format contentEncoding contentMediaType'),
  ...kinds('flag', 'deprecated readOnly writeOnly'),
};

const TYPES = new Set<unknown>(['null', 'boolean', 'object', 'array', 'number', 'string', 'integer']);

function kinds(kind: Kind, keywords: string): Kinds {
  return Object.fromEntries(keywords.split(' ').map((keyword) => [keyword, kind]));
}

/**
 * The value of a keyword; undefined when it is not of its kind.
 * @param each what becomes of the schemas in it
 */
export function keywordValue(kind: Kind, value: unknown, each: (schema: unknown) => unknown): unknown {
  switch (kind) {
    case 'number':
      return typeof value === 'number' ? value : undefined;
    case 'count':
      return Number.isSafeInteger(value) && (value as number) >= 0 ? value : undefined;
    case 'text':
      return typeof value === 'string' ? value : undefined;
    case 'flag':
      return value === true ? true : undefined;
    case 'texts':
      return isTexts(value) ? [...new Set(value)] : undefined;
    case 'list':
      return Array.isArray(value) && value.length > 0 ? value : undefined;
    case 'any':
      return value;
    case 'schema':
      return typeof value === 'boolean' || isObject(value) ? each(value) : undefined;
    case 'schemas':
      return Array.isArray(value) && value.length > 0 ? value.map((item) => each(item)) : undefined;
    case 'named':
      return isObject(value) ? named(Object.entries(value).map(([name, item]) => [name, each(item)])) : undefined;
    case 'namedTexts':
      return isObject(value) ? named(Object.entries(value).filter(([, names]) => isTexts(names))) : undefined;
    default:
      return kind satisfies never;
  }
}

/** The types among what `type` says: one, or a list; undefined when there are none. */
export function typesOf(value: unknown): unknown {
  const types = [...new Set([value].flat().filter((type) => TYPES.has(type)))];
  return types.length > 1 ? types : types[0];
}

/** Without a prototype: a property may have any name. */
function named(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const members = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of entries) members[name] = member;
  return members;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
}
