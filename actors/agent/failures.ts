// What is told of a model that did not answer: never what it said, which may quote the conversation, or the key.

import { ActorError } from '../../lib/actor.ts';

export function unavailable(reason: string, details: Record<string, unknown> = {}): ActorError {
  const options = { retryable: true, details: { reason, ...details } };
  return new ActorError('model_unavailable', 'The model cannot be reached now, or broke off.', options);
}

export function modelError(reason: string, details: Record<string, unknown> = {}): ActorError {
  return new ActorError('model_error', 'The model refused the request, or answered with something else.', {
    details: { reason, ...details },
  });
}
