// Runs until it is cancelled: waiting for the signal, or computing in pieces with a checkpoint between two.

import { once } from 'node:events';
import * as v from 'valibot';
import { defineActor } from '../../lib/actor.ts';
import { work } from '../support/work.ts';

export default defineActor({
  kind: 'hold',
  config: v.strictObject({ rounds: v.number() }),
  input: v.picklist(['wait', 'compute']),
  receive: async (how, ctx) => {
    if (how === 'wait') await once(ctx.signal, 'abort');
    for (;;) {
      ctx.checkpoint();
      if (work(ctx.config.rounds) === 0) throw new Error('the work was not done');
    }
  },
});
