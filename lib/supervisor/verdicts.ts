// What a host is doing, as a function of two looks at it. Nothing here asks the host: it may be stuck.

import type { Verdict } from '../protocol/views.ts';
import type { HostSample } from './host-slot.ts';

/** One look at a host. */
export interface Look {
  /** monotonicMs() */
  readonly atMs: number;
  /** It has something to do. */
  readonly isBusy: boolean;
  /** Since the last sign of life that is due; 0 while none is. */
  readonly silentMs: number;
  /** CPU time that its thread took or waited for, since its start; null where it cannot be told. */
  readonly wantedCpuMs: number | null;
  /** Whether it has answered an interrupt while it was silent; null if nobody asked, or it may still answer. */
  readonly answersInterrupts: boolean | null;
}

/** Part of the time for which a thread wants a CPU, from which it counts as running. One that waits wants none. */
const RUNNING_PART = 0.1;

/** @param suspectAfterMs silence up to this is nothing: a handler may calculate for a moment */
export function verdictOf(before: Look, after: Look, suspectAfterMs: number): Verdict {
  if (after.silentMs < suspectAfterMs) return after.isBusy || after.silentMs > 0 ? 'progressing' : 'idle';
  if (after.answersInterrupts === false) return 'native_block';
  const runs = wantsCpu(before, after);
  if (runs === false) return 'blocked';
  return runs === true && after.answersInterrupts === true ? 'spinning' : 'unresponsive';
}

/** Whether the thread ran, or would have with a CPU, between two looks; null where that cannot be told. */
export function wantsCpu(before: Look, after: Look): boolean | null {
  const passedMs = after.atMs - before.atMs;
  if (before.wantedCpuMs === null || after.wantedCpuMs === null || passedMs <= 0) return null;
  return (after.wantedCpuMs - before.wantedCpuMs) / passedMs >= RUNNING_PART;
}

/**
 * A kill is a question as well: JavaScript ends at once, whatever it does, and native code when it likes. So what could not be told from
 * outside is known afterwards.
 */
export function verdictOfKill(
  sample: Pick<HostSample, 'verdict' | 'silentMs' | 'wantsCpu'>,
  hasEnded: boolean,
): Verdict {
  const { verdict, silentMs } = sample;
  // A loop that turned, or JavaScript that was interrupted, is something else that keeps a thread: what it has asked of the system.
  if (!hasEnded) return silentMs > 0 && verdict !== 'spinning' ? 'native_block' : verdict;
  return verdict === 'unresponsive' && sample.wantsCpu === true ? 'spinning' : verdict;
}
