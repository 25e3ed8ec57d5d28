// Names of operations, behind `SOURCE::`. The same operation has the same name whatever stands before or after it in the document, and
// however often it is read:
//   1. its `operationId`, with what is not of `A-Z a-z 0-9 _ . -` replaced by `_`;
//   2. where it has none, or another operation has the same: method and path, `get_pets_petId_toys`;
//   3. where that is taken too: the same with eight characters of the hash of method and path behind it.
// Names over 64 characters are cut, and get those eight characters too. All operations that want one name move on, not only the later ones.

import { createHash } from 'node:crypto';
import { MAX_NAME_CHARS } from './bounds.ts';

export interface Nameable {
  readonly method: string;
  readonly path: string;
  readonly operationId: string | null;
}

/** In the order given; null for an operation for which there is none left. */
export function nameAll(operations: readonly Nameable[]): (string | null)[] {
  const candidates = operations.map(candidatesOf);
  const chosen = candidates.map(() => 0);
  const nameOf = (index: number): string | undefined => candidates[index]?.[chosen[index] as number];
  for (;;) {
    const counts = new Map<string, number>();
    for (const index of candidates.keys()) {
      const name = nameOf(index);
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const colliding = [...candidates.keys()].filter((index) => (counts.get(nameOf(index) ?? '') ?? 0) > 1);
    if (colliding.length === 0) return candidates.map((_, index) => nameOf(index) ?? null);
    for (const index of colliding) chosen[index] = (chosen[index] as number) + 1;
  }
}

function candidatesOf({ method, path, operationId }: Nameable): string[] {
  const mark = createHash('sha256').update(`${method} ${path}`).digest('hex').slice(0, 8);
  const given = operationId === null ? '' : cleaned(operationId, /[^A-Za-z0-9_.-]+/g);
  const derived = cleaned(`${method.toLowerCase()} ${path}`, /[^A-Za-z0-9.-]+/g);
  return [...(given === '' ? [] : [cut(given, mark)]), cut(derived, mark), marked(derived, mark)];
}

function cleaned(text: string, others: RegExp): string {
  return text.replace(others, '_').replace(/^_+|_+$/g, '');
}

function cut(name: string, mark: string): string {
  return name.length <= MAX_NAME_CHARS ? name : marked(name, mark);
}

function marked(name: string, mark: string): string {
  return `${name.slice(0, MAX_NAME_CHARS - mark.length - 1)}_${mark}`;
}
