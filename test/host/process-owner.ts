// A runtime whose worker has a process that is blocked in native code; writes the id of that process. Killed by the test.
import { createRuntime } from '../../lib/runtime.ts';
import { emitted } from '../support/start-runtime.ts';

const runtime = await createRuntime({
  actors: [new URL('../fixtures/actors/blocks-native.js', import.meta.url)],
  hosts: 1,
});
const worker = await runtime.create({ kind: 'blocks-native' });
const pid = await worker.ask({ rounds: 0 });
await worker.tell({ rounds: 2_000_000_000 });
await emitted(worker, 'blocking', worker.view().lastSequence);
process.stdout.write(`${String(pid)}\n`);
