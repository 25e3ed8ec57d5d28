import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { functionsContract } from '../contract/functions.ts';
import { codeOf, emitted, openGate, startRuntime, transcriptOf } from '../support/start-runtime.ts';
import type { GreenroomError } from '../../lib/errors.ts';

const LIMIT_BYTES = 1_000_000;

functionsContract('an actor', async (t) => {
  const { functions } = await startRuntime(t, { limits: { maxMessageBytes: LIMIT_BYTES } });
  return {
    functions,
    idOf: (name) => `serving::${name}`,
    release: () => openGate('serving-hold'),
    capacity: 2,
    limitBytes: LIMIT_BYTES,
  };
});

const issuesOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error: unknown) => (error as GreenroomError).details?.['issues']);

describe('a function of an actor', () => {
  test('is served by the worker whose id is the kind, which the first call makes', async (t) => {
    const runtime = await startRuntime(t);
    assert.deepEqual([...runtime.workers({ kind: 'serving' })], []);
    assert.equal(await runtime.invoke('serving::who'), 'serving');
    assert.equal(await runtime.invoke('serving::add', { amount: 2 }), 2);
    const worker = runtime.worker('serving');
    assert.equal(await worker.ask({ add: 3 }), 5);
    assert.equal(await runtime.invoke('serving::add', { amount: 2 }), 7);
    assert.deepEqual(worker.view().config, {});
  });

  test('finds that worker whatever config it was created with', async (t) => {
    const runtime = await startRuntime(t);
    await runtime.create({ kind: 'serving', workerId: 'serving', config: { start: 40 } });
    assert.equal(await runtime.invoke('serving::add', { amount: 2 }), 42);
  });

  test('is served by the worker that the metadata names', async (t) => {
    const runtime = await startRuntime(t);
    await runtime.create({ kind: 'serving', workerId: 's2', config: { start: 10 } });
    await runtime.create({ kind: 'echo', workerId: 'e' });
    const add = (metadata: unknown) => runtime.invoke('serving::add', { amount: 1 }, { metadata });
    assert.equal(await add({ worker_id: 's2', other: 1 }), 11);
    for (const metadata of [{}, null, 'text', [1]]) assert.equal(typeof (await add(metadata)), 'number');
    assert.equal(await codeOf(add({ worker_id: 'nobody' })), 'worker_not_found');
    assert.equal(await codeOf(add({ worker_id: 'e' })), 'worker_not_found');
    assert.equal(await codeOf(add({ worker_id: 'no id' })), 'invalid_worker_id');
    assert.equal(await codeOf(add({ worker_id: 7 })), 'invalid_request');
  });

  test('is refused where another actor has a worker of that id, and where the kind needs a config', async (t) => {
    const runtime = await startRuntime(t);
    await runtime.create({ kind: 'echo', workerId: 'serving' });
    assert.equal(await codeOf(runtime.invoke('serving::echo')), 'worker_exists');
    await runtime.worker('serving').delete({ force: true });
    assert.equal(await runtime.invoke('serving::echo', 1), 1);
    await runtime.worker('serving').stop();
    assert.equal(await codeOf(runtime.invoke('serving::echo')), 'worker_stopped');
  });

  test('has a schema of its own: what it does not accept is refused, with paths from the payload, and never runs', async (t) => {
    const runtime = await startRuntime(t);
    const expected = [{ path: 'amount', message: 'expected number' }];
    assert.deepEqual(await issuesOf(runtime.invoke('serving::add', { amount: 'two' })), expected);
    const large = { amount: 'x'.repeat(100_000) };
    assert.deepEqual(await issuesOf(runtime.invoke('serving::add', large)), expected);
    assert.equal(await runtime.invoke('serving::add', { amount: 1 }), 1);
    const inputs = (await transcriptOf(runtime.worker('serving'))).filter(({ type }) => type === 'input');
    assert.deepEqual(
      inputs.map(({ data }) => data),
      [{ 'greenroom:call': 'add', payload: { amount: 1 } }],
    );
  });

  test('must return what it declares, at once or later; inputs keep schemas of their own', async (t) => {
    const runtime = await startRuntime(t);
    assert.equal(await codeOf(runtime.invoke('serving::wrong')), 'invalid_output');
    const worker = runtime.worker('serving');
    assert.equal(await worker.ask({ add: 1 }), 1);
    assert.equal(await codeOf(worker.ask({ add: '1' })), 'invalid_input');
    assert.equal(await codeOf(worker.ask({ 'greenroom:call': 'nothing like it', payload: 1 })), 'invalid_input');
  });

  test('waits in the mailbox like any input, and is cancelled like one', async (t) => {
    const runtime = await startRuntime(t);
    assert.equal(await runtime.invoke('serving::add', { amount: 1 }), 1);
    const worker = runtime.worker('serving');
    const held = codeOf(runtime.invoke('serving::hold'));
    await emitted(worker, 'waiting');
    const waiting = runtime.invoke('serving::add', { amount: 1 });
    const { running, mailbox } = worker.view();
    assert.deepEqual([running !== null, mailbox.messages], [true, 1]);
    await worker.cancel();
    assert.equal(await held, 'cancelled');
    assert.equal(await waiting, 2);
  });

  test('tells of a host that died under it', async (t) => {
    const runtime = await startRuntime(t);
    await runtime.create({ kind: 'exits', workerId: 'x' });
    assert.equal(await runtime.invoke('serving::add', { amount: 1 }), 1);
    const held = codeOf(runtime.invoke('serving::hold'));
    await emitted(runtime.worker('serving'), 'waiting');
    await codeOf(runtime.worker('x').ask({ code: 3 }));
    assert.equal(await held, 'invocation_stopped');
    assert.equal(await runtime.invoke('serving::add', { amount: 1 }), 2);
  });

  test('lets go of a large call whose time is up before it is accepted, and does not run it', async (t) => {
    const runtime = await startRuntime(t);
    assert.equal(await runtime.invoke('serving::add', { amount: 1 }), 1);
    // The host is busy, so the check of the large payload waits there.
    await runtime.create({ kind: 'spins', workerId: 'spins' });
    const spinning = runtime.worker('spins').tell({ politely: true });
    await spinning;
    await emitted(runtime.worker('spins'), 'spinning');
    const call = runtime.invoke('serving::echo', 'x'.repeat(100_000), { timeoutMs: 20 });
    assert.equal(await codeOf(call), 'timeout');
    const aborting = new AbortController();
    const aborted = codeOf(runtime.invoke('serving::echo', 'x'.repeat(100_000), { signal: aborting.signal }));
    aborting.abort();
    assert.equal(await aborted, 'cancelled');
    await runtime.worker('spins').cancel();
    assert.equal(await runtime.invoke('serving::add', { amount: 1 }), 2);
    const inputs = (await transcriptOf(runtime.worker('serving'))).filter(({ type }) => type === 'input');
    assert.equal(inputs.length, 2);
  });

  test('is listed with its schemas, under its kind, and in the view of its actor', async (t) => {
    const runtime = await startRuntime(t);
    const expected = {
      functionId: 'serving::add',
      origin: 'actor',
      workerId: 'serving',
      workerName: 'serving',
      description: 'Adds to the total.',
      requestFormat: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: { amount: { type: 'number' } },
        required: ['amount'],
        additionalProperties: false,
      },
      responseFormat: { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'number' },
      metadata: null,
    };
    assert.deepEqual(runtime.function('serving::add'), expected);
    assert.deepEqual(runtime.listFunctions({ search: '::add' }).functions, [expected]);
    assert.throws(() => runtime.function('serving::nobody'), { code: 'function_not_found' });
    const actor = runtime.actors().find(({ kind }) => kind === 'serving');
    assert.deepEqual((actor?.inputSchema as { required: string[] }).required, ['add']);
    assert.deepEqual(
      actor?.functions.find(({ functionId }) => functionId === 'serving::add'),
      {
        functionId: 'serving::add',
        description: 'Adds to the total.',
        inputSchema: expected.requestFormat,
        outputSchema: expected.responseFormat,
      },
    );
  });
});

describe('a call', () => {
  test('of an embedding Backend takes at most the largest message, a time and a signal', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxMessageBytes: 1_000 } });
    assert.equal(await codeOf(runtime.invoke('serving::echo', 'x'.repeat(1_000))), 'payload_too_large');
    assert.equal(
      await codeOf(runtime.invoke('serving::echo', 1, { metadata: 'x'.repeat(1_000) })),
      'payload_too_large',
    );
    assert.equal(await codeOf(runtime.invoke('serving::echo', () => 1)), 'invalid_input');
    assert.equal(await codeOf(runtime.invoke('serving::nobody')), 'function_not_found');
    for (const timeoutMs of [0, -1, Number.NaN, 86_400_001])
      assert.equal(await codeOf(runtime.invoke('serving::echo', 1, { timeoutMs })), 'invalid_request');
  });

  test('of a closed runtime is refused', async (t) => {
    const runtime = await startRuntime(t);
    await runtime.close({ deadlineMs: 1 });
    assert.equal(await codeOf(runtime.invoke('serving::echo')), 'runtime_unavailable');
  });

  test('of an actor reaches another with a time and metadata', async (t) => {
    const runtime = await startRuntime(t);
    await runtime.create({ kind: 'serving', workerId: 's2' });
    const caller = await runtime.create({ kind: 'context', workerId: 'c' });
    const invoke = (rest: object) => caller.ask({ do: 'invoke', name: 'serving::who', ...rest });
    assert.equal(await invoke({}), 'serving');
    assert.equal(await invoke({ metadata: { worker_id: 's2' } }), 's2');
    assert.equal(await codeOf(invoke({ metadata: { worker_id: 's3' } })), 'worker_not_found');
    assert.equal(await codeOf(invoke({ timeoutMs: 0 })), 'invalid_request');
    assert.equal(await codeOf(invoke({ name: 'serving::hold', timeoutMs: 20 })), 'timeout');
  });
});

describe('an actor that asks which functions there are', () => {
  test('gets what a Backend gets, page by page', async (t) => {
    const runtime = await startRuntime(t);
    const asker = await runtime.create({ kind: 'context' });
    const ask = (query?: object) => asker.ask({ do: 'functions', ...(query && { query }) });
    assert.deepEqual(await ask(), runtime.listFunctions());
    const query = { search: 'SERVING::', limit: 2 };
    const first = (await ask(query)) as ReturnType<typeof runtime.listFunctions>;
    assert.deepEqual(first, runtime.listFunctions(query));
    assert.deepEqual(
      first.functions.map(({ functionId }) => functionId),
      ['serving::add', 'serving::echo'],
    );
    assert.equal(first.nextAfter, 'serving::echo');
    const next = { ...query, after: first.nextAfter };
    assert.deepEqual(await ask(next), runtime.listFunctions(next));
  });

  test('is refused a query that is none, and a page that is larger than a message', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxMessageBytes: 1_000 } });
    const asker = await runtime.create({ kind: 'context' });
    const ask = (query: unknown) => codeOf(asker.ask({ do: 'functions', query }));
    for (const query of [{ limit: 0 }, { limit: 1_001 }, { limit: 'all' }, { find: 'x' }, 'serving', null])
      assert.equal(await ask(query), 'invalid_request', JSON.stringify(query));
    assert.equal(await ask({}), 'payload_too_large');
    assert.equal(typeof (await ask({ limit: 1 })), 'object');
  });
});
