// Waits with an end: by a deadline, and by a signal.

import { GreenroomError } from '../errors.ts';

/**
 * Does work that has to end in time and while a signal allows it, whether or not it takes notice of the signal that it is given. Rejects
 * with `timeout`, or with the reason of the signal when that is an error of ours, and else with `cancelled`.
 */
export async function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const stop = (): void => ending.abort(reasonOf(signal));
  if (signal?.aborted === true) throw reasonOf(signal);
  signal?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(() => {
    ending.abort(GreenroomError.of('timeout', { message: `It was not done within ${ms} ms.` }));
  }, ms);
  try {
    const ended = new Promise<never>((_resolve, reject) => {
      ending.signal.addEventListener('abort', () => reject(ending.signal.reason as GreenroomError), { once: true });
    });
    return await Promise.race([work(ending.signal), ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

function reasonOf(signal: AbortSignal | undefined): GreenroomError {
  const reason: unknown = signal?.reason;
  return reason instanceof GreenroomError ? reason : GreenroomError.of('cancelled', { cause: reason });
}
