// A runtime whose worker has a process that is blocked in native code; writes the id of that process. Killed by the test.
import { createRuntime } from '../../lib/runtime.ts';
import { emitted } from '../support/start-runtime.ts';

const runtime = await createRuntime({
  actors: [new URL('../fixtures/actors/alone.js', import.meta.url)],
  hosts: 1,
});
const worker = await runtime.create({ kind: 'alone' });
const { pid } = (await worker.ask({ do: 'tell' })) as { pid: number };
await worker.tell({ do: 'block' });
await emitted(worker, 'blocking');
process.stdout.write(`${String(pid)}\n`);
