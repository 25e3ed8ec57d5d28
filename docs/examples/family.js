// A supervisor and its children: after a build, `node docs/examples/family.js`. One child crashes; with `one_for_all` its sibling starts again, too.

import { isMainThread } from 'node:worker_threads';
import { createRuntime } from 'greenroom';
import { defineActor } from 'greenroom/actor';
import * as v from 'valibot';

export default defineActor({
  kind: 'line',
  strategy: 'one_for_all', // for those that it creates
  restart: { maxRestarts: 3, withinMs: 60_000 },
  input: v.picklist(['open', 'work', 'crash']),
  state: () => ({ done: 0 }),
  receive: async (input, ctx) => {
    if (input === 'open') for (const workerId of ['left', 'right']) await ctx.create({ kind: 'line', workerId });
    else if (input === 'work') ctx.state.done++;
    else {
      void Promise.reject(new Error('nobody waits for this'));
      await new Promise(() => {});
    }
    return ctx.state.done;
  },
});

async function main() {
  const runtime = await createRuntime({ actors: [import.meta.filename], hosts: 1 });
  await (await runtime.create({ kind: 'line', workerId: 'parent' })).ask('open');
  const [left, right] = ['left', 'right'].map((workerId) => runtime.worker(workerId));
  await right.ask('work');
  console.log('the input:', await left.ask('crash').catch(({ code }) => code));
  console.log('the state that was saved:', await right.ask('work'));
  for await (const { type, data } of right.transcript())
    if (type === 'restarted') console.log('the sibling:', data.cause);
  await runtime.close();
}

// Not awaited: the runtime loads this module as well.
if (isMainThread && process.argv[1] === import.meta.filename) main();
