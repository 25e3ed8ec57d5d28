// Values in the styles of RFC 6570 and OpenAPI: what stands in a path, and the pairs of a query, a cookie or a form. Where the
// specification leaves a combination open, the comment says what is done. Nothing else is guessed: it is refused with `invalid_input`.

import { GreenroomError } from '../errors.ts';
import { isObject } from '../protocol/payload.ts';
import type { ParameterStyle } from './operation.ts';

/** How one text is written in its place. */
export type Encode = (text: string) => string;

export interface Layout {
  readonly name: string;
  readonly style: ParameterStyle;
  readonly explode: boolean;
}

/** Name and value, both encoded. */
export type Pair = readonly [name: string, value: string];

const UNRESERVED = /[^A-Za-z0-9\-._~]/gu;
/** A `#` would end the query, so it is encoded although it is reserved; triplets that are there already stay. */
const NOT_RESERVED = /%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=]/gu;
const TRIPLET = /^%[0-9A-Fa-f]{2}$/;

/** Every byte but unreserved ones. */
export function encodeStrictly(text: string): string {
  return text.replace(UNRESERVED, percent);
}

/** For `allowReserved`. */
export function encodeReserved(text: string): string {
  return text.replace(NOT_RESERVED, (found) => (TRIPLET.test(found) ? found : percent(found)));
}

function percent(character: string): string {
  let encoded = '';
  for (const byte of Buffer.from(character)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return encoded;
}

export function invalidAt(path: string, message: string): GreenroomError {
  return GreenroomError.of('invalid_input', {
    message: 'The function does not accept this payload.',
    details: { issues: [{ path, message }] },
  });
}

// --- values: as in RFC 6570, what is null is not there ---

/** A text, the members of a list, or those of an object; null: not there. A list or an object without members is not there either. */
type Parts =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'list'; readonly texts: readonly string[] }
  | { readonly type: 'object'; readonly entries: readonly (readonly [string, string])[] };

function partsOf(value: unknown, path: string): Parts | null {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) {
    const texts = value.flatMap((each: unknown, index) => (each === null ? [] : [textOf(each, `${path}.${index}`)]));
    return texts.length === 0 ? null : { type: 'list', texts };
  }
  if (!isObject(value)) return { type: 'text', text: textOf(value, path) };
  const entries = Object.entries(value).flatMap(([key, each]) =>
    each === null ? [] : [[key, textOf(each, `${path}.${key}`)] as const],
  );
  return entries.length === 0 ? null : { type: 'object', entries };
}

export function textOf(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw invalidAt(path, 'a list or an object cannot be sent at this depth');
}

// --- simple, label, matrix ---

/** What stands in a path, or in a header; null: not there. */
export function expand({ name, style, explode }: Layout, value: unknown, encode: Encode, path: string): string | null {
  const parts = partsOf(value, path);
  if (parts === null) return null;
  const key = encode(name);
  if (style === 'matrix') return expandMatrix(parts, key, explode, encode);
  const between = style === 'label' && explode ? '.' : ',';
  const first = style === 'label' ? '.' : '';
  if (parts.type === 'text') return first + encode(parts.text);
  if (parts.type === 'list') return first + parts.texts.map(encode).join(between);
  return first + parts.entries.map((entry) => entry.map(encode).join(explode ? '=' : ',')).join(between);
}

function expandMatrix(parts: Parts, key: string, explode: boolean, encode: Encode): string {
  const member = (name: string, value: string): string => (value === '' ? `;${name}` : `;${name}=${value}`);
  if (parts.type === 'text') return member(key, encode(parts.text));
  if (parts.type === 'list') {
    const texts = parts.texts.map(encode);
    return explode ? texts.map((text) => member(key, text)).join('') : member(key, texts.join(','));
  }
  const entries = parts.entries.map((entry) => entry.map(encode) as [string, string]);
  return explode ? entries.map(([name, text]) => member(name, text)).join('') : member(key, entries.flat().join(','));
}

// --- form, spaceDelimited, pipeDelimited, deepObject ---

/** None: not there. A single text in a delimited style is sent as in `form`, and so is what is exploded. */
export function pairsOf({ name, style, explode }: Layout, value: unknown, encode: Encode, path: string): Pair[] {
  const encodeName = encode === encodeReserved ? encodeStrictly : encode;
  const key = encodeName(name);
  if (style === 'deepObject') return deepPairs(name, value, { encode, encodeName }, path);
  const parts = partsOf(value, path);
  if (parts === null) return [];
  if (parts.type === 'text') return [[key, encode(parts.text)]];
  const between = style === 'spaceDelimited' ? encode(' ') : style === 'pipeDelimited' ? encode('|') : ',';
  if (parts.type === 'list') {
    const texts = parts.texts.map(encode);
    return explode ? texts.map((text): Pair => [key, text]) : [[key, texts.join(between)]];
  }
  const entries = parts.entries.map((entry): Pair => [encodeName(entry[0]), encode(entry[1])]);
  return explode ? entries : [[key, entries.flat().join(between)]];
}

/** The specification knows one level. What lies deeper gets a bracket more, and what is in a list its index: most servers read that. */
function deepPairs(
  name: string,
  value: unknown,
  write: { readonly encode: Encode; readonly encodeName: Encode },
  path: string,
): Pair[] {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object') return [[write.encodeName(name), write.encode(textOf(value, path))]];
  return Object.entries(value).flatMap(([key, each]) =>
    deepPairs(`${name}[${key}]`, each as unknown, write, `${path}.${key}`),
  );
}
