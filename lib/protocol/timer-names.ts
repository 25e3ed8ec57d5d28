// What workers call their timers by.

import { GreenroomError } from '../errors.ts';

const MAX_TIMER_NAME_CHARS = 128;
const TIMER_NAME = new RegExp(`^[A-Za-z0-9._:-]{1,${MAX_TIMER_NAME_CHARS}}$`);

/** Throws `invalid_request`. */
export function requireTimerName(name: unknown): string {
  if (typeof name === 'string' && TIMER_NAME.test(name)) return name;
  throw GreenroomError.of('invalid_request', {
    message: `The name of a timer is 1 to ${MAX_TIMER_NAME_CHARS} of A-Z a-z 0-9 . _ : -`,
  });
}
