// Echoes after a fixed amount of CPU work, as much for every input.

import * as v from 'valibot';
import { defineActor } from '../../lib/actor.ts';
import { work } from '../support/work.ts';

export default defineActor({
  kind: 'work',
  config: v.strictObject({ rounds: v.number() }),
  input: v.unknown(),
  receive: (input, ctx) => {
    if (work(ctx.config.rounds) === 0) throw new Error('the work was not done');
    return input;
  },
});
