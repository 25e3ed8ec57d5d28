// What 2.0 says in other words than 3.x, in the words of 3.x: bodies and forms among the parameters, how lists are written, media types
// beside the operation, the server in three pieces. One operation at a time, so that a broken one breaks no other.

import { MAX_ALTERNATIVES } from './bounds.ts';
import { Unmappable } from './references.ts';
import type { Located, References } from './references.ts';
import { listOf, memberOf, membersOf, stringOf, stringsOf } from './values.ts';
import type { Members } from './values.ts';

const FORM = 'application/x-www-form-urlencoded';
const MULTIPART = 'multipart/form-data';

export interface ModernOperation {
  readonly parameters: readonly Located[];
  /** A request body of 3.x. */
  readonly body: Located | null;
}

/** @param parameters those of the path and of the operation, which may be references */
export function modernize(
  parameters: readonly Located[],
  operation: unknown,
  root: unknown,
  references: References,
  notes: Set<string>,
): ModernOperation {
  const consumed = typesOf('consumes', operation, root);
  const plain: Located[] = [];
  const form = new Map<string, Members>();
  let body: Located | null = null;
  for (const given of parameters) {
    const { value, document } = references.follow(given.value, given.document);
    const parameter = membersOf(value);
    const style = listStyle(parameter); // of a body, which has no type of its own, nothing
    if (style === null) {
      if (parameter['required'] === true) throw new Unmappable('A list is written in a way that is not supported.');
      notes.add('A parameter that is a list is written in a way that is not supported; it is left out.');
    } else if (parameter['in'] === 'body') body = { value: bodyOf(parameter, consumed), document };
    else if (parameter['in'] === 'formData') form.set(stringOf(parameter['name']) ?? '', parameter);
    else plain.push({ value: { ...parameter, ...style, schema: schemaOf(parameter) }, document });
  }
  if (form.size === 0) return { parameters: plain, body };
  const document = parameters[0]?.document ?? { url: null, root, isMain: true };
  return { parameters: plain, body: { value: formOf([...form.values()], consumed), document } };
}

/** Responses with their schema under each media type. */
export function modernResponse(response: Located, operation: unknown, root: unknown): Located {
  const schema = memberOf(response.value, 'schema');
  if (schema === undefined) return { value: {}, document: response.document };
  const produced = typesOf('produces', operation, root);
  const isFile = memberOf(schema, 'type') === 'file';
  const types = produced.length > 0 ? produced : [isFile ? 'application/octet-stream' : 'application/json'];
  return {
    value: { content: Object.fromEntries(types.map((type) => [type, { schema }])) },
    document: response.document,
  };
}

/** https where it is offered. Without a host it is the document's own. */
export function modernServers(root: unknown, operation: unknown, documentUrl: string | null): Members {
  const host = stringOf(memberOf(root, 'host'));
  const path = stringOf(memberOf(root, 'basePath')) ?? '/';
  const own = listOf(memberOf(operation, 'schemes'));
  const schemes = own.length > 0 ? own : listOf(memberOf(root, 'schemes'));
  const inherited = documentUrl?.startsWith('http:') === true ? 'http' : 'https';
  const scheme = ['https', 'http'].find((name) => schemes.includes(name)) ?? inherited;
  // A scheme beside http is left to be refused by name.
  const chosen = schemes.length > 0 && !schemes.includes(scheme) ? String(schemes[0]) : scheme;
  if (host === null || host === '') return { servers: [{ url: path }] };
  return { servers: [{ url: `${chosen}://${host}${path.startsWith('/') ? path : `/${path}`}` }] };
}

function typesOf(keyword: 'consumes' | 'produces', operation: unknown, root: unknown): string[] {
  return stringsOf(memberOf(operation, keyword) ?? memberOf(root, keyword)).slice(0, MAX_ALTERNATIVES);
}

function bodyOf(parameter: Members, consumed: readonly string[]): Members {
  const types = consumed.length > 0 ? consumed : ['application/json'];
  const media = { schema: parameter['schema'] ?? {} };
  return { required: parameter['required'] === true, content: Object.fromEntries(types.map((type) => [type, media])) };
}

function formOf(parameters: readonly Members[], consumed: readonly string[]): Members {
  const hasFile = parameters.some((parameter) => parameter['type'] === 'file');
  const isMultipart = hasFile || (consumed.includes(MULTIPART) && !consumed.includes(FORM));
  const entries = parameters.map((parameter) => [stringOf(parameter['name']) ?? '', parameter] as const);
  const required = entries.filter(([, parameter]) => parameter['required'] === true).map(([name]) => name);
  const media = {
    schema: {
      type: 'object',
      properties: Object.fromEntries(entries.map(([name, parameter]) => [name, schemaOf(parameter)])),
      required,
      additionalProperties: false,
    },
    encoding: Object.fromEntries(entries.map(([name, parameter]) => [name, listStyle(parameter)])),
  };
  return { required: required.length > 0, content: { [isMultipart ? MULTIPART : FORM]: media } };
}

/** A parameter of 2.0 is its own schema; `required: true` in it is no keyword of one. */
function schemaOf(parameter: Members): Members {
  return { ...parameter, required: undefined };
}

/** `collectionFormat`, in the styles of 3.x; null for what has none. */
function listStyle(parameter: Members): Members | null {
  if (parameter['type'] !== 'array') return {};
  const isQuery = parameter['in'] === 'query' || parameter['in'] === 'formData';
  const format = parameter['collectionFormat'] ?? 'csv';
  if (format === 'csv') return { explode: false, ...(parameter['in'] === 'formData' && { style: 'form' }) };
  if (format === 'multi' && isQuery) return { style: 'form', explode: true };
  if (format === 'ssv' && isQuery) return { style: 'spaceDelimited', explode: false };
  if (format === 'pipes' && isQuery) return { style: 'pipeDelimited', explode: false };
  return null;
}

/** Whether a document is of 2.0. */
export function isSwagger(root: unknown): boolean {
  return memberOf(root, 'swagger') !== undefined;
}
