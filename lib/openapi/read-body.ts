// The body of a request: the best of its media types, and the schema by which a caller gives it. Forms are flattened to one object, since
// each property of theirs is sent on its own; files are given by a channel, or as base64.

import { isObject } from '../protocol/payload.ts';
import type { OperationBody, PartEncoding } from './operation.ts';
import { bestMedia, isConcrete } from './media-types.ts';
import { MAX_FORM_SCHEMAS, MAX_HOPS, MAX_KEY_CHARS } from './bounds.ts';
import { STYLES } from './read-parameters.ts';
import { Unmappable } from './references.ts';
import type { Located } from './references.ts';
import type { Schemas, SchemaScope } from './read-schema.ts';
import { listOf, memberOf, membersOf, stringOf } from './values.ts';

export interface ReadBody {
  readonly body: OperationBody;
  /** Translated. */
  readonly schema: unknown;
}

/** How a caller gives bytes. */
const BYTES_SCHEMA = {
  description: 'Bytes: the reading end of a channel, or base64.',
  anyOf: [
    {
      type: 'object',
      properties: { channel_id: { type: 'string' }, access_key: { type: 'string' }, direction: { const: 'read' } },
      required: ['channel_id', 'access_key', 'direction'],
    },
    {
      type: 'object',
      properties: {
        base64: { type: 'string', contentEncoding: 'base64' },
        filename: { type: 'string' },
        content_type: { type: 'string' },
      },
      required: ['base64'],
      additionalProperties: false,
    },
  ],
};

/** Null when it has none that can be sent; throws Unmappable when it must have one. */
export function readBody(located: Located, schemas: Schemas, scope: SchemaScope): ReadBody | null {
  const { value, document } = schemas.resolve(located.value, located.document);
  const required = memberOf(value, 'required') === true;
  const choice = bestMedia(membersOf(memberOf(value, 'content')));
  if (choice === null) {
    if (required) throw new Unmappable('Its body has no media type that can be sent.');
    scope.notes.add('Its body has no media type that can be sent; it is left out.');
    return null;
  }
  const media = schemas.resolve(choice.media, document);
  const inner = { ...scope, document: media.document };
  const whole = (kind: OperationBody['kind']) => ({
    required,
    contentType: choice.contentType,
    kind,
    encoding: {},
    files: [],
  });
  const schema = memberOf(media.value, 'schema') ?? {};
  switch (choice.kind) {
    case 'json':
      return { body: whole('json'), schema: schemas.translate(schema, inner) };
    case 'text':
      return { body: whole('text'), schema: textSchema(schema, choice.contentType, schemas, inner) };
    case 'binary':
      return { body: whole('binary'), schema: BYTES_SCHEMA };
    case 'form':
    case 'multipart': {
      const form = readForm(schema, membersOf(memberOf(media.value, 'encoding')), choice.kind, schemas, inner);
      return { body: { ...whole(choice.kind), encoding: form.encoding, files: form.files }, schema: form.schema };
    }
  }
}

function textSchema(schema: unknown, contentType: string, schemas: Schemas, scope: SchemaScope): unknown {
  const { value } = tryResolve(schema, schemas, scope);
  if (memberOf(value, 'type') === 'string') return schemas.translate(schema, scope);
  if (isObject(value) && (value['properties'] !== undefined || value['type'] !== undefined)) {
    scope.notes.add('Its body is given as a text: it has no media type that can be made from JSON.');
  }
  return { type: 'string', description: `A text of the type ${contentType}.` };
}

function tryResolve(schema: unknown, schemas: Schemas, scope: SchemaScope): Located {
  try {
    return schemas.resolve(schema, scope.document);
  } catch (error) {
    if (!(error instanceof Unmappable)) throw error;
    scope.notes.add(`A part of a schema is left open. ${error.message}`);
    return { value: {}, document: scope.document };
  }
}

// --- forms ---

interface Flat {
  readonly properties: Map<string, Located>;
  readonly required: Set<string>;
  isClosed: boolean;
  /** Schemas that may still be looked at. */
  steps: number;
}

function readForm(
  schema: unknown,
  given: Readonly<Record<string, unknown>>,
  kind: 'form' | 'multipart',
  schemas: Schemas,
  scope: SchemaScope,
) {
  const flat: Flat = { properties: new Map(), required: new Set(), isClosed: false, steps: MAX_FORM_SCHEMAS };
  flatten({ value: schema, document: scope.document }, flat, true, MAX_HOPS, schemas, scope);
  const [properties, encoding, files]: [Record<string, unknown>, Record<string, PartEncoding>, string[]] = [{}, {}, []];
  for (const [name, property] of flat.properties) {
    const inner = { ...scope, document: property.document };
    const part = readEncoding(memberOf(given, name));
    if (part !== null) encoding[name] = part;
    const file = kind === 'multipart' ? fileSchema(property, part?.contentType, schemas, scope) : null;
    if (file !== null) files.push(name);
    properties[name] = file ?? schemas.translate(property.value, inner, false);
  }
  const isReadOnly = (name: string) => memberOf(flat.properties.get(name)?.value, 'readOnly') === true;
  const required = [...flat.required].filter((name) => flat.properties.has(name) && !isReadOnly(name));
  const open = flat.isClosed ? { additionalProperties: false } : {};
  const whole = { type: 'object', properties, ...(required.length > 0 && { required }), ...open };
  return { schema: whole, encoding, files };
}

/** Properties of alternatives (`anyOf`, `oneOf`) are all there, and none of them required. */
function flatten(
  located: Located,
  flat: Flat,
  isCertain: boolean,
  hops: number,
  schemas: Schemas,
  scope: SchemaScope,
): void {
  if (hops === 0 || flat.steps-- <= 0) {
    scope.notes.add('Its form is put together from too many schemas; some are left out.');
    return;
  }
  const { value, document } = tryResolve(located.value, schemas, { ...scope, document: located.document });
  for (const [name, property] of Object.entries(membersOf(memberOf(value, 'properties')))) {
    if (name.length <= MAX_KEY_CHARS && !flat.properties.has(name))
      flat.properties.set(name, { value: property, document });
  }
  if (isCertain) {
    for (const name of listOf(memberOf(value, 'required'))) if (typeof name === 'string') flat.required.add(name);
  }
  const parts = (keyword: string, isCertainToo: boolean): number => {
    const list = listOf(memberOf(value, keyword));
    for (const part of list) {
      if (flat.steps < 0) break;
      flatten({ value: part, document }, flat, isCertainToo, hops >> 1, schemas, scope);
    }
    return list.length;
  };
  parts('allOf', isCertain);
  const alternatives = parts('anyOf', false) + parts('oneOf', false);
  if (hops === MAX_HOPS && memberOf(value, 'additionalProperties') === false && alternatives === 0) {
    flat.isClosed = true;
  }
}

/** What stands for the schema of a property that is a file, or a list of files; null when it is neither. */
function fileSchema(property: Located, contentType: string | undefined, schemas: Schemas, scope: SchemaScope): unknown {
  const { value, document } = tryResolve(property.value, schemas, { ...scope, document: property.document });
  if (memberOf(value, 'type') === 'array') {
    const items = tryResolve(memberOf(value, 'items') ?? {}, schemas, { ...scope, document });
    return isFile(items.value, contentType) ? { type: 'array', items: BYTES_SCHEMA } : null;
  }
  return isFile(value, contentType) ? BYTES_SCHEMA : null;
}

function isFile(schema: unknown, contentType: string | undefined): boolean {
  const types = [memberOf(schema, 'type')].flat();
  if (types.includes('file')) return true;
  const hasBytes =
    contentType !== undefined && /^(image|audio|video)\/|^application\/(octet-stream|pdf|zip)/i.test(contentType);
  if (!types.includes('string')) return types[0] === undefined && hasBytes && memberOf(schema, '$ref') === undefined;
  if (memberOf(schema, 'format') === 'binary' || hasBytes) return true;
  const mediaType = stringOf(memberOf(schema, 'contentMediaType'));
  return mediaType !== null && memberOf(schema, 'contentEncoding') === undefined && !/json|^text\//i.test(mediaType);
}

function readEncoding(value: unknown): PartEncoding | null {
  if (!isObject(value)) return null;
  const { explode, allowReserved } = value;
  const style = STYLES.query.find((known) => known === value['style']);
  // The first of a list, and none that is a range: a sender has to choose.
  const contentType = stringOf(value['contentType'])?.split(',', 1)[0]?.trim() ?? '';
  const part = {
    ...(isConcrete(contentType) && { contentType }),
    ...(style !== undefined && { style }),
    ...(typeof explode === 'boolean' && { explode }),
    ...(typeof allowReserved === 'boolean' && { allowReserved }),
  };
  return Object.keys(part).length > 0 ? part : null;
}
