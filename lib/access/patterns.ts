// Which ids a policy means: patterns in which `*` stands for any text, `::` included, and which must fit the whole id; and filters,
// which may ask for the metadata of a function instead. No regular expression: ids come from peers, and no id may cost more than its length.

import { isDeepStrictEqual } from 'node:util';
import { MAX_FUNCTION_ID_CHARS } from '../limits.ts';
import { isObject } from '../protocol/payload.ts';

/** Characters of a pattern: those of the longest id. */
export const MAX_PATTERN_CHARS = MAX_FUNCTION_ID_CHARS;
/** A longer text is not searched for what stands between two stars; whether it begins and ends as it should is still asked. */
const MAX_SEARCH_CHARS = 4 * MAX_FUNCTION_ID_CHARS;
const MATCH = /^match\((["'])(.*)\1\)$/s;

/** Whether a text fits. */
export type Matcher = (text: string) => boolean;

/** What may be written for a filter: a pattern, `match("a::*")`, or what the metadata must be. */
export type FilterSource = string | { readonly metadata: Readonly<Record<string, unknown>> };

/** Whether a function fits, by its id or by its metadata. */
export type Filter = (functionId: string, metadata: unknown) => boolean;

/** The parts between the stars are searched from left to right, each once: what was found is never given back. */
export function compilePattern(pattern: string): Matcher {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return (text) => text === pattern;
  const parts = rest.filter((part) => part !== '');
  return (text) => {
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    if (parts.length === 0) return true;
    if (text.length > MAX_SEARCH_CHARS) return false;
    let at = first.length;
    for (const part of parts) {
      const found = text.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}

/** Any of them. */
export function compilePatterns(patterns: readonly string[]): Matcher {
  const matchers = patterns.map(compilePattern);
  return (text) => matchers.some((matches) => matches(text));
}

/** Any of them; within the metadata of one filter, all keys. */
export function compileFilters(sources: readonly FilterSource[]): Filter {
  const filters = sources.map((source): Filter => {
    if (typeof source !== 'string') return metadataFilter(source.metadata);
    const matches = compilePattern(patternOf(source) ?? source);
    return (functionId) => matches(functionId);
  });
  return (functionId, metadata) => filters.some((filter) => filter(functionId, metadata));
}

/** A value fits the same value, of any JSON type; `match("…")` fits texts. */
function metadataFilter(expected: Readonly<Record<string, unknown>>): Filter {
  const tests = Object.entries(expected).map(([key, value]): [string, (found: unknown) => boolean] => {
    const pattern = typeof value === 'string' ? patternOf(value) : null;
    if (pattern === null) {
      return [key, (found) => isDeepStrictEqual(found, value)];
    }
    const matches = compilePattern(pattern);
    return [key, (found) => typeof found === 'string' && matches(found)];
  });
  return (_functionId, metadata) =>
    isObject(metadata) && tests.every(([key, test]) => Object.hasOwn(metadata, key) && test(metadata[key]));
}

/** What stands in `match("…")`; null if it is no match. */
function patternOf(source: string): string | null {
  return MATCH.exec(source)?.[2] ?? null;
}
