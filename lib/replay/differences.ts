// Where two JSON values differ, by the first place in the order of the recorded one. The order of an object's keys says nothing.

import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../protocol/payload.ts';

export interface ValueDifference {
  /** JSON Pointer (RFC 6901); empty for the whole. */
  readonly path: string;
  /** Undefined where there is nothing. */
  readonly recorded: unknown;
  readonly replayed: unknown;
}

/** Null when they are equal. */
export function firstDifference(recorded: unknown, replayed: unknown): ValueDifference | null {
  const place: string[] = [];
  let [left, right] = [recorded, replayed];
  if (isDeepStrictEqual(left, right)) return null;
  for (;;) {
    const key = differingKey(left, right);
    if (key === null) break;
    place.push(`/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    [left, right] = [member(left, key), member(right, key)];
  }
  return { path: place.join(''), recorded: left, replayed: right };
}

/** The first key, or index, whose values differ; null when the two can only be compared as they are. */
function differingKey(left: unknown, right: unknown): string | null {
  const isSameKind = (isObject(left) && isObject(right)) || (Array.isArray(left) && Array.isArray(right));
  if (!isSameKind) return null;
  const keys = new Set([...Object.keys(left as object), ...Object.keys(right as object)]);
  for (const key of keys) if (!isDeepStrictEqual(member(left, key), member(right, key))) return key;
  return null;
}

function member(value: unknown, key: string): unknown {
  return Object.hasOwn(value as object, key) ? (value as Record<string, unknown>)[key] : undefined;
}
