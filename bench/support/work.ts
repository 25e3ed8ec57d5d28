// Work of a known amount: rounds of integer arithmetic, so that a handler that is interrupted by the machine does not
// count the interruption as work done, as a loop until a time would.

const ROUNDS_TO_CALIBRATE = 2_000_000;
const ATTEMPTS = 5;

/** Does the work; the result has to be used, so that none of it is left out. */
export function work(rounds: number): number {
  let value = 1;
  for (let round = 0; round < rounds; round++) value = Math.imul(value ^ round, 0x01000193);
  return value;
}

/** How many rounds take so many microseconds of CPU here, undisturbed. */
export function workRounds(us: number): number {
  let best = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const startMs = performance.now();
    if (work(ROUNDS_TO_CALIBRATE) === 0) throw new Error('the work was not done');
    best = Math.min(best, performance.now() - startMs);
  }
  return Math.round((ROUNDS_TO_CALIBRATE / (best * 1_000)) * us);
}
