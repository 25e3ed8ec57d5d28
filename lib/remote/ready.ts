// Whether a remote is connected and what it registered is in: the runtime handles the frames of one socket in order, so the answer to any
// call says that everything before it has been handled. A refusal is an answer too, as long as the runtime gave it.

import { DEFAULT_LIMITS } from '../limits.ts';
import type { RemoteRequest } from './calls.ts';
import { RemoteError } from './errors.ts';
import { requireTimeoutMs } from './options.ts';
import type { Refusals } from './refusals.ts';

export interface ReadyOptions {
  /** From now. Default 30 s. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Costs the runtime nothing, and every credential may call it. */
const PROBE = 'engine::baggage::get_all';
/** What says that there was no answer, and will be none. */
const UNANSWERED = new Set([
  'cancelled',
  'forbidden',
  'invocation_failed_payload_too_large',
  'route_not_found',
  'runtime_unavailable',
  'timeout',
  'unauthorized',
]);

export async function becomeReady(
  trigger: (request: RemoteRequest) => Promise<unknown>,
  refusals: Refusals,
  { timeoutMs = DEFAULT_LIMITS.invocationTimeoutMs, signal }: ReadyOptions,
): Promise<void> {
  requireTimeoutMs('timeoutMs', timeoutMs);
  const giveUpAtMs = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = Math.max(1, giveUpAtMs - performance.now());
    const refusal = await answerTo(trigger({ function_id: PROBE, payload: {}, timeoutMs: leftMs, signal }));
    // The connection broke meanwhile: the next probe waits for the next one.
    if (refusal?.code !== 'invocation_stopped') return refusals.requireNone();
  }
}

/** Null for a result, or the error with which the runtime answered. Rejects when there was no answer. */
async function answerTo(probe: Promise<unknown>): Promise<RemoteError | null> {
  try {
    await probe;
    return null;
  } catch (thrown) {
    if (!(thrown instanceof RemoteError) || UNANSWERED.has(thrown.code)) throw thrown;
    return thrown;
  }
}
