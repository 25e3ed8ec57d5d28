// What is looked at before a store is opened, so that a damaged file is refused, and does not take one process after another down.
// Reading every page takes time: it is done while the file is small, and when the process that opened it last did not get to the end.

import { rmSync, statSync, writeFileSync } from 'node:fs';
import { GreenroomError } from '../errors.ts';
import { checkPages } from './pages.ts';

/** Files up to this size are read whole at every start: a fraction of a second. */
const CHECKED_BYTES = 64 * 1_024 * 1_024;

/** Throws `store_corrupt`. What it returns is to be called when the store is open, or has been refused. */
export function beginOpening(path: string): () => void {
  const marker = `${path}.opening`;
  const end = () => rmSync(marker, { force: true });
  const bytes = bytesOf(path);
  if (bytes > 0 && (bytes <= CHECKED_BYTES || bytesOf(marker) >= 0)) {
    const [finding] = checkPages(path).findings;
    if (finding !== undefined) {
      end();
      throw GreenroomError.of('store_corrupt', { message: `The store's file is damaged: ${finding}.` });
    }
  }
  try {
    writeFileSync(marker, '');
  } catch {
    // A disk that is full, or cannot be written, must not keep a store from being opened: it is what the store is there for.
  }
  return end;
}

/** -1 if there is no such file. */
function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
}
