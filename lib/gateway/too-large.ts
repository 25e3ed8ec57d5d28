// A message that was too large for a socket, as those are told who sent it and who waits for it.

import { asGreenroomError, GreenroomError } from '../errors.ts';

/** Anything else stays what it is. */
export function asTooLarge(thrown: unknown): GreenroomError {
  const error = asGreenroomError(thrown);
  if (error.code !== 'payload_too_large') return error;
  const { payload_bytes, limit_bytes } = error.details as { payload_bytes: number; limit_bytes: number };
  return GreenroomError.of('invocation_failed_payload_too_large', {
    message: `The message has ${payload_bytes} bytes, the limit is ${limit_bytes}. Send larger data through a channel.`,
    details: { payload_bytes, limit_bytes },
  });
}
