// What 2.0 and 3.0 say in their own words, in those of 2020-12: keywords whose meaning depends on others beside them.

import { isObject } from '../protocol/payload.ts';
import { patternMaxChars } from './pattern-cost.ts';
import { MAX_DEFAULT_CHARS } from './bounds.ts';
import { typesOf } from './schema-keywords.ts';
import { listOf } from './values.ts';
import type { Members } from './values.ts';

const PATTERN_PROBLEM = 'it may take too long, or is no regular expression of JavaScript.';

export function addType(schema: Members, result: Record<string, unknown>): void {
  const types = typesOf(schema['type']);
  if (types !== undefined) result['type'] = types;
  // How 2.0 says that the value is a file.
  if (schema['type'] === 'file')
    Object.assign(result, { type: 'string', contentMediaType: 'application/octet-stream' });
}

/** `exclusiveMinimum: true`, as it was until 3.0. */
export function addBounds(schema: Members, result: Record<string, unknown>): void {
  for (const [exclusive, inclusive] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (schema[exclusive] !== true || result[inclusive] === undefined) continue;
    result[exclusive] = result[inclusive];
    delete result[inclusive];
  }
  if (typeof result['multipleOf'] === 'number' && result['multipleOf'] <= 0) delete result['multipleOf'];
}

export function addDefault(schema: Members, result: Record<string, unknown>): void {
  const value = schema['default'];
  if (value !== undefined && JSON.stringify(value).length <= MAX_DEFAULT_CHARS) result['default'] = value;
}

/** `nullable: true`, as it was until 3.0; documents of 3.1 have it too, and mean it. */
export function nullable(schema: Record<string, unknown>): Members {
  const isPlain = !['$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'const'].some((keyword) => keyword in schema);
  if (!isPlain) {
    const { description, ...rest } = schema;
    return { ...(description !== undefined && { description }), anyOf: [rest, { type: 'null' }] };
  }
  if (schema['type'] === undefined) return schema['enum'] === undefined ? schema : withNullInEnum(schema);
  const types = [schema['type']].flat();
  const nulled: Record<string, unknown> = { ...schema, type: types.includes('null') ? types : [...types, 'null'] };
  return nulled['enum'] === undefined ? nulled : withNullInEnum(nulled);
}

function withNullInEnum(schema: Record<string, unknown>): Members {
  const values = listOf(schema['enum']);
  return values.includes(null) ? schema : { ...schema, enum: [...values, null] };
}

export function withPattern(schema: Members, pattern: string, notes: Set<string>): Members {
  if (patternMaxChars(pattern) > 0) return { ...schema, pattern };
  notes.add(`A pattern is not checked: ${PATTERN_PROBLEM}`);
  return schema;
}

export function dropPatterns(schema: Record<string, unknown>, notes: Set<string>): void {
  const named = schema['patternProperties'];
  if (!isObject(named)) return;
  const kept = Object.entries(named).filter(([pattern]) => {
    const isChecked = patternMaxChars(pattern) > 0;
    if (!isChecked) notes.add(`A pattern of property names is not checked: ${PATTERN_PROBLEM}`);
    return isChecked;
  });
  schema['patternProperties'] = Object.fromEntries(kept);
  // What the dropped pattern let through would now be one property too many.
  if (kept.length < Object.keys(named).length) delete schema['additionalProperties'];
}
