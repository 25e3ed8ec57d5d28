// Frames about triggers, as a remote sends them and as it gets them.

import type { TriggerFrame } from '../../lib/protocol/remote-frames.ts';
import type { FakeRemote } from './fake-remote.ts';

export const typeFrame = (id: string): TriggerFrame => ({
  type: 'registertriggertype',
  id,
  description: `about ${id}`,
});
export const bindFrame = (id: string, triggerType = 'clock', functionId = 'a::tick', config: unknown = { every: 1 }) =>
  ({ type: 'registertrigger', id, triggerType, functionId, config }) as const satisfies TriggerFrame;
export const unbindFrame = (id: string): TriggerFrame => ({ type: 'unregistertrigger', id });
export const resultFrame = (id: string, message?: string): TriggerFrame => ({
  type: 'triggerregistrationresult',
  id,
  triggerType: 'clock',
  error: message === undefined ? null : { code: 'trigger_registration_failed', message },
});
export const delivered = (id: string, functionId = 'a::tick', triggerType = 'clock') => ({
  type: 'registertrigger',
  id,
  trigger_type: triggerType,
  function_id: functionId,
  config: { every: 1 },
});
export const taken = (id: string, triggerType = 'clock') => ({
  type: 'unregistertrigger',
  id,
  trigger_type: triggerType,
});
export const refused = (id: string, code: string, triggerType = 'clock', functionId = 'a::tick') => ({
  type: 'triggerregistrationresult',
  id,
  trigger_type: triggerType,
  function_id: functionId,
  error: { code },
});

/** What a remote was sent, with errors reduced to their codes. */
export function took(remote: FakeRemote): unknown[] {
  return remote.take().map((frame) => ('error' in frame ? { ...frame, error: { code: frame.error?.code } } : frame));
}
