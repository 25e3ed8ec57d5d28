// A Backend that embeds a runtime, does something with it and closes it. Run as a process of its own: HOSTS SCENARIO.
// Prints `closed` and does nothing more: from there on only what the runtime left behind could keep the process alive.

import { createRuntime } from '../../lib/index.ts';
import type { Runtime } from '../../lib/index.ts';
import { codeOf, emitted, hasStatus } from '../support/start-runtime.ts';

const ACTORS = ['../fixtures/actors/', '../../actors/'].map((path) => new URL(path, import.meta.url));
const [hosts = '1', scenario = 'idle'] = process.argv.slice(2);

const SCENARIOS: Record<string, (runtime: Runtime) => Promise<unknown>> = {
  idle: () => Promise.resolve(),

  'after work': async (runtime) => {
    const workers = await Promise.all([1, 2, 3].map(() => runtime.create({ kind: 'counter' })));
    const totals = await Promise.all(workers.flatMap((worker) => [worker.ask({ add: 1 }), worker.ask({ add: 1 })]));
    if (String(totals) !== '1,2,1,2,1,2') throw new Error(`wrong totals: ${String(totals)}`);
  },

  'after a host was killed': async (runtime) => {
    const worker = await runtime.create({ kind: 'spins' });
    const spinning = codeOf(worker.ask({ politely: false }));
    await emitted(worker, 'spinning');
    await worker.cancel();
    await spinning;
    await hasStatus(worker, 'idle');
  },

  'while a killed host is being replaced': async (runtime) => {
    const worker = await runtime.create({ kind: 'exits' });
    await codeOf(worker.ask({ code: 1 }));
  },

  'with timers and asks pending': async (runtime) => {
    const timers = await runtime.create({ kind: 'context' });
    await timers.ask({ do: 'after', ms: 3_600_000, input: { do: 'who' } });
    const gate = await runtime.create({ kind: 'gate' });
    void codeOf(gate.ask({ wait: 'never' }, { timeoutMs: 3_600_000 }));
    void codeOf(gate.ask({ say: 'behind it' }));
    await gate.tell({}, { deadlineMs: 3_600_000 });
    await emitted(gate, 'waiting');
  },

  'while a worker starts': async (runtime) => {
    const creating = codeOf(runtime.create({ kind: 'counter', workerId: 'late' }));
    await runtime.close({ deadlineMs: 10 });
    await creating;
  },

  'while a worker restarts': async (runtime) => {
    const worker = await runtime.create({ kind: 'exits' });
    await codeOf(worker.ask({ code: 1 }));
    await runtime.close({ deadlineMs: 10 });
    await codeOf(worker.stop());
  },
};

async function main(): Promise<void> {
  const options = { actors: ACTORS, hosts: Number(hosts), limits: { cancelGraceMs: 100 } };
  if (scenario === 'await using') {
    await using runtime = await createRuntime(options);
    const worker = await runtime.create({ kind: 'counter' });
    await worker.ask({ add: 1 });
    return;
  }
  const runtime = await createRuntime(options);
  const act = SCENARIOS[scenario];
  if (act === undefined) throw new Error(`no scenario: ${scenario}`);
  await act(runtime);
  if (runtime.supervisor.status === 'running') await runtime.close({ deadlineMs: 10 });
}

// A promise that never settles would end the process as well, with code 13.
await main();
process.stdout.write('closed\n');
