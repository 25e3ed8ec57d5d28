// The hint in the metadata of a registration that it belongs to a group: `metadata.iii.generatedWorker`, or `virtualWorker`. Routing is nobody's
// business but the runtime's, so the registry takes the hint out of everything that it stores, whoever registers and whether or not it is followed.

import { isObject } from '../protocol/payload.ts';

/** Every key that may hold the hint. The first that is there is looked at, all of them go. */
const KEYS = ['generatedWorker', 'virtualWorker'] as const;

export interface Unhinted {
  /** Without the hint; undefined if nothing else was in it. The metadata itself when there was nothing to take out. */
  readonly metadata: unknown;
  /** What the hint says, trimmed; undefined if it says nothing. It grants nothing: whether it is followed is for others to decide. */
  readonly group: string | undefined;
}

/** Never throws, and leaves what it is given as it was. */
export function takeHint(metadata: unknown): Unhinted {
  if (!isObject(metadata) || !isObject(metadata['iii'])) return { metadata, group: undefined };
  const { iii, ...rest } = metadata;
  const kept = Object.entries(iii).filter(([key]) => !(KEYS as readonly string[]).includes(key));
  const key = KEYS.find((each) => Object.hasOwn(iii, each));
  if (key === undefined && kept.length > 0) return { metadata, group: undefined };
  const group = key === undefined ? undefined : nameIn(iii[key]);
  if (kept.length > 0) return { metadata: { ...rest, iii: Object.fromEntries(kept) }, group };
  return { metadata: Object.keys(rest).length > 0 ? rest : undefined, group };
}

/** A text, or an object with `name` or, without one, `id`. */
function nameIn(hint: unknown): string | undefined {
  const name = isObject(hint) ? (hint['name'] ?? hint['id']) : hint;
  return (typeof name === 'string' && name.trim()) || undefined;
}
