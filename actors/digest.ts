// Burns CPU on purpose: hashes a text over and over. Shows how a long computation shares its host and stays cancellable.
// It works in slices of SLICE_MS and gives the event loop a turn after each: a computation in one piece would hold up every
// other worker on its host until its end. The price is one turn of the loop per slice, far below 1 % of the slice.

import { createHash, scryptSync } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as v from 'valibot';
import { defineActor } from '../lib/actor.ts';

/** As long as a host handles inputs before it turns to something else; a cancel is noticed within one slice. */
const SLICE_MS = 5;
/** Progress entries per input, whatever its rounds: the transcript is bounded and other entries want to stay in it. */
const PROGRESS_STEPS = 10;
const DIGEST_BYTES = 32;
/** About 3 ms and 1 MiB per round: one round of scrypt must fit into a slice, because nothing interrupts it. */
const SCRYPT_COST = { N: 1_024, r: 8, p: 1 };

export default defineActor({
  kind: 'digest',
  description: 'Hashes a text for a number of rounds: CPU-bound work that reports its progress and can be cancelled.',
  input: v.strictObject({
    text: v.pipe(v.string(), v.maxLength(65_536)),
    rounds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000_000)), 1),
    algorithm: v.optional(v.picklist(['sha256', 'scrypt']), 'sha256'),
  }),
  output: v.strictObject({ digest: v.string(), rounds: v.number() }),
  onInterrupt: 'retry', // the same text gives the same digest
  receive: async ({ text, rounds, algorithm }, ctx) => {
    const step = Math.ceil(rounds / PROGRESS_STEPS);
    let digest = Buffer.from(text);
    let round = 0;
    let reported = 0;
    while (round < rounds) {
      ctx.checkpoint();
      const sliceEnd = performance.now() + SLICE_MS;
      do {
        digest =
          algorithm === 'scrypt'
            ? scryptSync(digest, 'greenroom', DIGEST_BYTES, SCRYPT_COST)
            : createHash('sha256').update(digest).digest();
        round++;
      } while (round < rounds && performance.now() < sliceEnd);
      if (round - reported >= step && round < rounds) {
        ctx.emit({ rounds: round, of: rounds });
        reported = round;
      }
      await nextTurn();
    }
    return { digest: digest.toString('hex'), rounds };
  },
});
