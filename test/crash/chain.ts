// One number for everything so far: a hash over the one before and what is added. Actors keep such a chain of the inputs that they have
// handled, so that a state shows order and duplicates; readers of transcripts keep one of the entries that they were shown.

import { createHash } from 'node:crypto';

const CHARS = 16;

/** @param before '' at the beginning */
export function chained(before: string, added: unknown): string {
  return createHash('sha256').update(before).update(JSON.stringify(added)).digest('base64url').slice(0, CHARS);
}
