// The parameters of an operation in their places. What a caller gives can fill in a path, but never change its shape; and no header or
// cookie can hold what would end it.

import { isHeaderValue } from '../http/headers.ts';
import { isObject } from '../protocol/payload.ts';
import { escaped } from './encoding.ts';
import { isJson } from './media-types.ts';
import type { Parameter, ParameterPlace } from './operation.ts';
import { encodeReserved, encodeStrictly, expand, invalidAt, pairsOf, textOf } from './styles.ts';
import type { Encode, Pair } from './styles.ts';
import { memberOf } from './values.ts';

/** What a payload says of each place. */
export type GivenParameters = Readonly<Partial<Record<ParameterPlace, unknown>>>;

export interface WrittenParameters {
  /** Begins with a slash. */
  readonly path: string;
  readonly query: readonly Pair[];
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly cookies: readonly Pair[];
}

const DOTS = /^(?:\.|%2e){1,2}$/i;

/** Throws `invalid_input`, naming the path. */
export function writeParameters(
  operation: { readonly path: string; readonly parameters: readonly Parameter[] },
  given: GivenParameters,
): WrittenParameters {
  const fills = new Map<string, string>();
  const query: Pair[] = [];
  const headers = new Map<string, string>();
  const cookies: Pair[] = [];
  requireKnown(operation.parameters, given);
  for (const parameter of operation.parameters) {
    const value = memberOf(given[parameter.in], parameter.name);
    const path = `${parameter.in}.${parameter.name}`;
    if (value === undefined) {
      if (parameter.required) throw invalidAt(path, 'required');
      continue;
    }
    switch (parameter.in) {
      case 'path':
        fills.set(parameter.name, writePath(parameter, value, path));
        break;
      case 'query':
        query.push(...writePairs(parameter, value, path));
        break;
      case 'cookie':
        cookies.push(...writePairs(parameter, value, path));
        break;
      case 'header':
        writeHeader(parameter, value, path, headers);
        break;
      default:
        return parameter.in satisfies never;
    }
  }
  return { path: fillIn(operation.path, fills), query, headers, cookies };
}

/** What is not in the document would be lost without a word. */
function requireKnown(parameters: readonly Parameter[], given: GivenParameters): void {
  for (const [place, values] of Object.entries(given)) {
    if (values === undefined) continue;
    if (!isObject(values)) throw invalidAt(place, 'expected an object');
    const names = new Set(parameters.flatMap((each) => (each.in === place ? [each.name] : [])));
    const unknown = Object.keys(values).find((name) => !names.has(name));
    if (unknown !== undefined) throw invalidAt(`${place}.${unknown}`, 'unknown key');
  }
}

// --- path ---

function writePath(parameter: Parameter, value: unknown, path: string): string {
  const written =
    parameter.contentType === null
      ? expand(parameter, value, encodeStrictly, path)
      : encodeStrictly(contentOf(parameter.contentType, value, path));
  if (written === null) throw invalidAt(path, 'may not be empty');
  return written;
}

/** A segment that a value makes empty, `.` or `..` would lead elsewhere: URLs have them taken out, however they are encoded. */
function fillIn(template: string, fills: ReadonlyMap<string, string>): string {
  return template
    .split('/')
    .map((segment) => {
      let name: string | null = null;
      const filled = segment.replace(/\{([^{}]*)\}/g, (expression, inner: string) => {
        const fill = fills.get(inner);
        if (fill === undefined) return encodeStrictly(expression);
        name = inner;
        return fill;
      });
      if (name !== null && (filled === '' || DOTS.test(filled))) {
        throw invalidAt(`path.${name as string}`, 'may not be empty, and no dots alone');
      }
      return filled;
    })
    .join('/');
}

// --- query and cookies ---

function writePairs(parameter: Parameter, value: unknown, path: string): Pair[] {
  const isReserved = parameter.allowReserved && parameter.in === 'query';
  const encode: Encode = isReserved ? encodeReserved : encodeStrictly;
  if (parameter.contentType === null) return pairsOf(parameter, value, encode, path);
  return [[encodeStrictly(parameter.name), encode(contentOf(parameter.contentType, value, path))]];
}

// --- headers: not percent-encoded, as in OpenAPI 3.2, since no server decodes them ---

function writeHeader(parameter: Parameter, value: unknown, path: string, headers: Map<string, string>): void {
  const written =
    parameter.contentType === null
      ? expand(parameter, value, (text) => text, path)
      : toAscii(parameter.contentType, contentOf(parameter.contentType, value, path));
  if (written === null) return;
  if (!isHeaderValue(written)) throw invalidAt(path, 'expected one line of text in Latin-1');
  headers.set(parameter.name.toLowerCase(), written);
}

/** JSON can be spelt in ASCII. */
function toAscii(contentType: string, text: string): string {
  return isJson(contentType) ? escaped(text, /[\u007f-\uffff]/g) : text;
}

/** A parameter that has a media type is sent as that, in one piece. */
function contentOf(contentType: string, value: unknown, path: string): string {
  return isJson(contentType) ? JSON.stringify(value) : textOf(value, path);
}
