// Many simulations, one after the other: `npm run simulate -- --seeds 1000 --steps 1000 [--seed 1] [--fault-rate 0.03]`. Prints one line of
// JSON with the sum of all, and the same for people on stderr; a violation ends it with status 1 and the way to see it again.

import { parseArgs } from 'node:util';
import { simulate } from '../lib/testing/simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '1000' },
    'fault-rate': { type: 'string', default: '0.03' },
  },
});

/** Seeds between two signs of life. */
const SEEDS_PER_LINE = 100;

function whole(name: 'seed' | 'seeds' | 'steps'): number {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} must be a whole number, not ${values[name]}`);
  return value;
}

function add(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}

const [first, seeds, steps] = [whole('seed'), whole('seeds'), whole('steps')];
const faultRate = Number(values['fault-rate']);
const startMs = performance.now();
const sum = { seeds: 0, steps: 0, events: 0, simulated_ms: 0, commands: {}, faults: {} };
for (let seed = first; seed < first + seeds; seed++) {
  const report = await simulate({ seed, steps, faultRate });
  sum.seeds++;
  sum.steps += report.steps;
  sum.events += report.events;
  sum.simulated_ms += report.passedMs;
  add(sum.commands, report.commands);
  add(sum.faults, report.faults);
  if (seeds === 1) process.stderr.write(`digest ${report.digest}\n`);
  if (sum.seeds % SEEDS_PER_LINE === 0) process.stderr.write(`${sum.seeds} seeds, ${sum.steps} steps\n`);
}
const tookMs = Math.round(performance.now() - startMs);
process.stdout.write(`${JSON.stringify({ ...sum, took_ms: tookMs })}\n`);
process.stderr.write(
  `${sum.steps} steps over ${sum.seeds} seeds from ${first}, ${(sum.simulated_ms / 3_600_000).toFixed(1)} simulated hours in ${(tookMs / 1_000).toFixed(0)} s: every check held\n`,
);
