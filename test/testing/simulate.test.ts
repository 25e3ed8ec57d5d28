// Simulated runs with random commands and faults: what must hold does, a seed gives its run again, and the checks can fail.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Batch } from '../../lib/protocol/frames.ts';
import { FAULTS } from '../../lib/testing/commands.ts';
import { simulate } from '../../lib/testing/index.ts';
import type { Corrupt, SimulateOptions } from '../../lib/testing/index.ts';

const SIMULATE = fileURLToPath(new URL('../../scripts/simulate.js', import.meta.url));
/** The share of the seeds that every run of the tests looks at; see docs/testing.md for the others. */
const SEEDS = 40;
const STEPS = 300;

describe('a seed', () => {
  test('gives the same run again, in this process and in another', async () => {
    // The other process first, and this test before the long one: each simulated host takes 33 MiB of addresses until it is collected, and a
    // process that has many of them cannot be forked.
    const { stderr, stdout } = run(['--seed', '7', '--steps', String(STEPS)]);
    const first = await simulate({ seed: 7, steps: STEPS });
    const second = await simulate({ seed: 7, steps: STEPS });
    assert.deepEqual(second, first);
    assert.match(stderr, new RegExp(`^digest ${first.digest}$`, 'm'));
    assert.deepEqual((JSON.parse(stdout) as { events: number }).events, first.events);
  });

  test('that is another gives another run', async () => {
    const [one, other] = [await simulate({ seed: 7, steps: 50 }), await simulate({ seed: 8, steps: 50 })];
    assert.notEqual(one.digest, other.digest);
  });
});

test(`every check holds over ${SEEDS} seeds with all faults`, async (t) => {
  const first = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seeds from ${first}`);
  const met = new Set<string>();
  for (let seed = first; seed < first + SEEDS; seed++) {
    const { commands, faults } = await simulate({ seed, steps: STEPS });
    for (const [name, count] of [...Object.entries(commands), ...Object.entries(faults)]) if (count > 0) met.add(name);
  }
  // Otherwise it would have proved less than it says.
  for (const fault of FAULTS) assert.ok(met.has(fault), fault);
});

function run(args: readonly string[]): { stdout: string; stderr: string } {
  const script = `exec "$0" "$@" 2>&3`;
  const out = execFileSync('bash', ['-c', `{ ${script}; } 3>&1`, process.execPath, SIMULATE, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  const lines = out.trim().split('\n');
  return {
    stdout: lines.find((line) => line.startsWith('{')) ?? '',
    stderr: lines.filter((line) => !line.startsWith('{')).join('\n'),
  };
}

// What a runtime would do that loses, repeats or mixes up what it should not. The numbers of the batches stay as they are, so the link
// sees nothing of it, and only the checks are left to find it.
const without = ({ numbers }: Batch): Batch => ({ numbers: numbers.slice(-1), text: '[]', apart: [] });

function twice({ numbers, text, apart }: Batch): Batch {
  const frames = numbers.slice(0, -1);
  const texts = text.slice(1, -1);
  return {
    numbers: Float64Array.from([...frames, ...frames, ...numbers.slice(-1)]),
    text: texts === '' ? '[]' : `[${texts},${texts}]`,
    apart: [...apart, ...apart],
  };
}

/** Seeds among which each defect must show: a lost input may be one that nobody would have seen. */
const SEEDS_OF_DEFECTS = [1, 2, 3, 4, 5];
const AT_BATCH = 50;

function once(from: 'out' | 'in', change: (batch: Batch) => Batch): Corrupt {
  let seen = 0;
  return (lane, end, message) =>
    lane === 'data' && end === from && ++seen === AT_BATCH ? change(message as Batch) : message;
}

describe('a runtime is found out that', () => {
  const defects: [title: string, from: 'out' | 'in', change: (batch: Batch) => Batch, message: RegExp][] = [
    ['loses an input', 'out', without, /inputs have no outcome/],
    ['loses a reply', 'in', without, /inputs have no outcome|have added/],
    ['delivers an input twice', 'out', twice, /twice|while it was running/],
  ];
  // A host that is recycled in time takes what it has lost back into the line.
  const limits = { hostMaxAgeMs: 0, hostMaxInputs: 0 };
  for (const [title, from, change, message] of defects) {
    test(title, async () => {
      const found: string[] = [];
      for (const seed of SEEDS_OF_DEFECTS) {
        const options: SimulateOptions = { seed, steps: STEPS, faults: [], limits, corrupt: once(from, change) };
        await simulate(options).catch((error: Error) => {
          assert.match(error.message, message);
          assert.match(error.message, new RegExp(`npm run simulate -- --seed ${seed} --steps ${STEPS}`));
          found.push(error.name);
        });
      }
      assert.ok(found.length > 0, 'no check saw it');
      assert.ok(found.every((name) => name === 'Violation'));
    });
  }
});
