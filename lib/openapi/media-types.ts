// Media types: which of a document's is used, how a body of it is given, and what may stand in a header.

import type { OperationBody } from './operation.ts';
import { MAX_KEY_CHARS } from './bounds.ts';

export interface MediaChoice {
  /** As it is sent. */
  readonly contentType: string;
  readonly kind: OperationBody['kind'];
  readonly media: unknown;
}

const ORDER: readonly OperationBody['kind'][] = ['json', 'multipart', 'form', 'text', 'binary'];
const VALID = /^[!#$&^_.+*a-z0-9-]{1,127}\/[!#$&^_.+*a-z0-9-]{1,127}( *;[\x20-\x7e]*)?$/i;

/** The best of them, in the document's order where two are as good; null when there is none. */
export function bestMedia(content: Readonly<Record<string, unknown>>): MediaChoice | null {
  const choices = Object.entries(content)
    .filter(([type]) => isMediaType(type))
    .map(([type, media]) => ({ ...sentAs(type), media }));
  for (const kind of ORDER) {
    const found = choices.find((choice) => choice.kind === kind);
    if (found !== undefined) return found;
  }
  return null;
}

/** On one line, ranges like `image/*` among them. */
export function isMediaType(type: string): boolean {
  return type.length <= MAX_KEY_CHARS && VALID.test(type);
}

/** Whether it says what something is, and not what it may be. */
export function isConcrete(type: string): boolean {
  return isMediaType(type) && !essence(type).includes('*');
}

export function isJson(type: string): boolean {
  return kindOf(type) === 'json';
}

export function kindOf(type: string): OperationBody['kind'] {
  const name = essence(type);
  if (/[/+]json$/.test(name)) return 'json';
  if (name === 'multipart/form-data') return 'multipart';
  if (name === 'application/x-www-form-urlencoded') return 'form';
  const isText =
    /^text\/|\+(xml|yaml)$/.test(name) ||
    /^application\/(xml|yaml|x-yaml|graphql|sql|javascript|x-ndjson|ndjson|jsonl|json-seq)$/.test(name);
  return isText ? 'text' : 'binary';
}

function essence(type: string): string {
  return (type.split(';', 1)[0] as string).trim().toLowerCase();
}

/** A range is no type that could be sent. */
function sentAs(type: string): { contentType: string; kind: OperationBody['kind'] } {
  const name = essence(type);
  if (name === '*/*' || name === 'application/*') return { contentType: 'application/json', kind: 'json' };
  if (name === 'text/*') return { contentType: 'text/plain', kind: 'text' };
  if (name === 'multipart/*') return { contentType: 'multipart/form-data', kind: 'multipart' };
  if (name.includes('*')) return { contentType: 'application/octet-stream', kind: 'binary' };
  return { contentType: type, kind: kindOf(type) };
}
