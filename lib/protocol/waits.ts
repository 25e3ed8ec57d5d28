// Waits with an end: by a deadline, and by a signal.

import { GreenroomError } from '../errors.ts';

type Signals = readonly (AbortSignal | null | undefined)[];

/**
 * A signal that aborts with any of them, or with `timeout` after `ms`. Whoever asked for it releases it when nothing waits for it any more.
 * Not AbortSignal.any, which keeps what it has made for as long as the oldest of them lives.
 */
export function joined(
  signals: Signals,
  deadline?: { readonly ms: number; readonly message: string },
): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const abort = (event: Event): void => controller.abort((event.target as AbortSignal).reason);
  for (const signal of signals) {
    if (signal?.aborted === true) controller.abort(signal.reason);
    signal?.addEventListener('abort', abort, { once: true });
  }
  const late = (message: string): void => controller.abort(GreenroomError.of('timeout', { message }));
  const timer = deadline && setTimeout(late, deadline.ms, deadline.message);
  return {
    signal: controller.signal,
    release: () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', abort);
    },
  };
}

/** What the promise gives, unless the signal aborts first: then its reason as `reasonOf` has it, and what comes later is nobody's. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(reasonOf(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Does work that has to end in time and while all signals allow it, whether or not it takes notice of the signal that it is given. Rejects
 * with `timeout`, or with what `reasonOf` has of the first signal that aborts; if one has aborted before, the work does not begin.
 */
export async function within<T>(ms: number, signals: Signals, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal, release } = joined(signals, { ms, message: `It was not done within ${Math.round(ms)} ms.` });
  try {
    if (signal.aborted) throw reasonOf(signal);
    return await orAborted(work(signal), signal);
  } finally {
    release();
  }
}

/** Why a signal has aborted: its reason when that is an error of ours, else `cancelled`. */
export function reasonOf({ reason }: AbortSignal): GreenroomError {
  return reason instanceof GreenroomError ? reason : GreenroomError.of('cancelled', { cause: reason });
}

/** A pause of which up to half is left out, so that many who pause do not come back at once. */
export function jittered(ms: number): number {
  return ms * (1 - Math.random() / 2);
}
