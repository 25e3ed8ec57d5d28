// The time inside a runtime: milliseconds since shortly before this module was loaded. A small integer lies in its field, a
// number of today's Date.now() is an object of its own, and an ask holds five (measured: 5 % of an ask).
// 0 is never a time. After 24 days the numbers are objects again, and everything goes on.
//
// All that runs on a runtime's time asks here, so that a simulation can put a clock of its own in the place of the machine's.

/** On the clock of Date.now(); ends in a zero, so that ticks of ten milliseconds begin alike on both. A host has to use that of its supervisor. */
export const ORIGIN_MS = 10 * Math.floor((Date.now() - 1) / 10);

/** Where time comes from. */
export interface TimeSource {
  /** Milliseconds since ORIGIN_MS. */
  now(): number;
  /** Milliseconds since any point; never goes back. */
  monotonicMs(): number;
  /** Calls once after a time, and does not keep the process alive for it. Returns the way to call it off. */
  wake(delayMs: number, due: () => void): () => void;
}

const MACHINE: TimeSource = {
  now: () => Date.now() - ORIGIN_MS,
  monotonicMs: () => performance.now(),
  wake: (delayMs, due) => {
    const timer = setTimeout(due, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

let source = MACHINE;

export function now(): number {
  return source.now();
}

/** For what takes a while: never goes back when somebody sets the machine's clock. */
export function monotonicMs(): number {
  return source.monotonicMs();
}

/** On the clock of Date.now(), for what is shown or kept. */
export function epochNow(): number {
  return ORIGIN_MS + source.now();
}

/** On the clock of Date.now(); 0 stays 0. */
export function toEpochMs(at: number): number {
  return at === 0 ? 0 : ORIGIN_MS + at;
}

/** Calls once after a time; see TimeSource. What waits in numbers waits on a Wheel instead. */
export function wake(delayMs: number, due: () => void): () => void {
  return source.wake(delayMs, due);
}

/** For simulations: every runtime in this thread lives on that time until the function that is returned is called. */
export function replaceTime(simulated: TimeSource): () => void {
  source = simulated;
  return () => (source = MACHINE);
}
