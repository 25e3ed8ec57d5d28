// The schemas of one operation as texts, with the definitions that they reach. Definitions are texts already, made once for all operations
// and joined here; those nearest to the root come first, and what no longer fits is left open.

import { isObject } from '../protocol/payload.ts';
import type { ReadBody } from './read-body.ts';
import type { ReadParameter } from './read-parameters.ts';
import { MAX_REQUEST_FORMAT_CHARS, MAX_RESPONSE_FORMAT_CHARS } from './bounds.ts';
import { PLACES } from './operation.ts';
import { encode, shortened } from './encoding.ts';
import type { Definition, Schemas, SchemaScope } from './read-schema.ts';

/** `{path?, query?, header?, cookie?, body?}`, each required where any of it is. */
export function requestSchema(
  parameters: readonly ReadParameter[],
  body: ReadBody | null,
  schemas: Schemas,
  scope: SchemaScope,
) {
  const properties: Record<string, unknown> = {};
  const required: string[] = [];
  for (const place of PLACES) {
    const group = parameters.filter(({ sent }) => sent.in === place);
    if (group.length === 0) continue;
    const needed = group.flatMap(({ sent }) => (sent.required ? [sent.name] : []));
    properties[place] = {
      type: 'object',
      properties: Object.fromEntries(group.map((each) => [each.sent.name, parameterSchema(each, schemas, scope)])),
      ...(needed.length > 0 && { required: needed }),
      additionalProperties: false,
    };
    if (needed.length > 0) required.push(place);
  }
  if (body !== null) properties['body'] = body.schema;
  if (body?.body.required === true) required.push('body');
  return { type: 'object', properties, ...(required.length > 0 && { required }), additionalProperties: false };
}

function parameterSchema(
  { schema: { value, document }, description }: ReadParameter,
  schemas: Schemas,
  scope: SchemaScope,
): unknown {
  const translated = schemas.translate(value, { ...scope, document }, false);
  if (description === null || !isObject(translated) || translated['description'] !== undefined) return translated;
  return { ...translated, description: shortened(description) };
}

/** The text of a schema with its `$defs`; notes of the definitions go to the scope. */
export function withDefinitions(schema: unknown, schemas: Schemas, scope: SchemaScope): string {
  const root = encode(schema);
  let left = (scope.direction === 'request' ? MAX_REQUEST_FORMAT_CHARS : MAX_RESPONSE_FORMAT_CHARS) - root.length;
  if (left < 0) {
    scope.notes.add('A schema is too large, and left open.');
    return scope.direction === 'request' ? openRequest(schema) : '{}';
  }
  const texts: string[] = [];
  const reached = new Set(scope.uses);
  for (const target of reached) {
    const definition: Definition = schemas.definition(target, scope.direction);
    const fits = definition.text.length <= left;
    texts.push(`${JSON.stringify(definition.name)}:${fits ? definition.text : '{}'}`);
    if (!fits) {
      scope.notes.add('A part of a schema is left open: it is too large.');
      continue;
    }
    left -= definition.text.length;
    for (const note of definition.notes) scope.notes.add(note);
    for (const next of definition.uses) reached.add(next);
  }
  if (texts.length === 0 || !root.startsWith('{')) return root;
  const definitions = `"$defs":{${texts.join(',')}}`;
  return root === '{}' ? `{${definitions}}` : `${root.slice(0, -1)},${definitions}}`;
}

/** The groups stay as they are; what is in them is for the server to check. */
function openRequest(schema: unknown): string {
  const { properties, ...rest } = schema as { properties: Record<string, unknown> };
  const open = Object.fromEntries(
    Object.keys(properties).map((name) => [name, name === 'body' ? {} : { type: 'object' }]),
  );
  return encode({ ...rest, properties: open });
}
