// A message that was too large for a socket, as those are told who sent it and who waits for it.

import { asGreenroomError, GreenroomError } from '../errors.ts';

/** Anything else stays what it is. */
export function asTooLarge(thrown: unknown): GreenroomError {
  const error = asGreenroomError(thrown);
  const { payload_bytes, limit_bytes } = error.details ?? {};
  // A function may choose the same code; then it says nothing of sizes.
  if (error.code !== 'payload_too_large' || typeof payload_bytes !== 'number' || typeof limit_bytes !== 'number') {
    return error;
  }
  return GreenroomError.of('invocation_failed_payload_too_large', {
    message: `The message has ${payload_bytes} bytes, the limit is ${limit_bytes}. Send larger data through a channel.`,
    details: { payload_bytes, limit_bytes },
  });
}
