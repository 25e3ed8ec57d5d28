// A worker in a process of its own: after a build, `node docs/examples/own-process.js`. What crashes a whole process costs the runtime nothing.

import { isMainThread } from 'node:worker_threads';
import { createRuntime } from 'greenroom';
import { defineActor } from 'greenroom/actor';
import * as v from 'valibot';

export default defineActor({
  kind: 'risky',
  isolation: 'process', // 'shared' and 'dedicated' are threads
  input: v.picklist(['count', 'fault']),
  state: () => ({ count: 0 }),
  receive: async (input, ctx) => {
    if (input === 'count') return ++ctx.state.count;
    process.kill(process.pid, 'SIGSEGV'); // stands in for a fault of native code
    return new Promise(() => {});
  },
});

async function main() {
  const runtime = await createRuntime({ actors: [import.meta.filename], hosts: 1 });
  const worker = await runtime.create({ kind: 'risky' });
  await worker.ask('count');
  const { code, details } = await worker.ask('fault').catch((error) => error);
  console.log('the input:', code, details.cause, details.signal);
  console.log('the state that was saved:', await worker.ask('count'));
  await runtime.close();
}

// Not awaited: the runtime loads this module as well.
if (isMainThread && process.argv[1] === import.meta.filename) main();
