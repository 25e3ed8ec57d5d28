// Parameters of a randomised test. Its report shows the seed; `SEED=n` in the environment repeats that run.

import type { TestContext } from 'node:test';

export function seeded(t: TestContext, numRuns: number): { seed: number; numRuns: number } {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  return { seed, numRuns };
}
