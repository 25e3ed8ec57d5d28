// What can be the id of a worker, of a group, or of a runtime.

import { MAX_WORKER_ID_CHARS } from '../limits.ts';

const WORKER_ID = new RegExp(`^[A-Za-z0-9._:-]{1,${MAX_WORKER_ID_CHARS}}$`);

export function isWorkerId(text: string): boolean {
  return WORKER_ID.test(text);
}
