// Values of a document, of which nothing is known: whoever reads one asks for a member, a list or a string and goes on with what there is.

import { isObject } from '../protocol/payload.ts';

export type Members = Readonly<Record<string, unknown>>;

/** Members of an object; of anything else, none. */
export function membersOf(value: unknown): Members {
  return isObject(value) ? value : {};
}

/** A member that the object itself has; `constructor` is nobody's. */
export function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

export function stringOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Strings of a list, without what else is in it. */
export function stringsOf(value: unknown): string[] {
  return listOf(value).filter((item) => typeof item === 'string');
}
