// What is looked at before a store is opened, so that a damaged file is refused, and does not take one process after another down.
// Reading every page takes time: it is done while the file is small, and when the process that opened it last did not get to the end.

import { rmSync, statSync, writeFileSync } from 'node:fs';
import { GreenroomError } from '../errors.ts';
import { checkPages } from './pages.ts';

/** Files up to this size are read whole at every start: a fraction of a second. */
const CHECKED_BYTES = 64 * 1_024 * 1_024;

/** Rejects with `store_corrupt` before anything is opened, or as the opening does. */
export async function openGuarded<T>(path: string, open: () => Promise<T>): Promise<T> {
  const marker = `${path}.opening`;
  const bytes = bytesOf(path);
  if (bytes > 0 && (bytes <= CHECKED_BYTES || bytesOf(marker) >= 0)) requireSoundPages(path);
  try {
    writeFileSync(marker, '');
  } catch {
    // A disk that is full, or cannot be written, must not keep a store from being opened: it is what the store is there for.
  }
  try {
    return await open();
  } finally {
    rmSync(marker, { force: true });
  }
}

function requireSoundPages(path: string): void {
  const [finding] = checkPages(path).findings;
  if (finding !== undefined)
    throw GreenroomError.of('store_corrupt', { message: `The store's file is damaged: ${finding}.` });
}

/** -1 if there is no such file. */
function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
}
