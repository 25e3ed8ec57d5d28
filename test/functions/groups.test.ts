// Groups in the registry: what lives and ends with its members, is one owner's, and is never seen half done.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FunctionCall, FunctionOwner } from '../../lib/functions/function.ts';
import { Groups } from '../../lib/functions/groups.ts';
import { Peers } from '../../lib/functions/peers.ts';
import { Functions } from '../../lib/functions/registry.ts';
import { gated } from '../e2e/sdk.ts';
import { peerOf } from '../support/peers.ts';

const CALL: FunctionCall = { payload: '1', metadata: null, caller: { workerId: null }, timeoutMs: 1_000 };
const ownerOf = (ownerId: string): FunctionOwner => ({
  ownerId,
  origin: 'remote',
  name: `called-${ownerId}`,
  serve: async () => `"${ownerId}"`,
});
const spec = (functionId: string) => ({ functionId, description: null });
const codeFrom = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
};

function setUp(taken: readonly string[] = []) {
  const peers = new Peers();
  const groups = new Groups({
    peers,
    version: '1.2.3',
    isWorker: (name) => taken.includes(name) || peers.isRemote(name),
    countOf: (group) => functions.countListed(group),
  });
  const functions: Functions = new Functions(groups);
  const join = (owner: FunctionOwner, functionId: string, group?: string) =>
    functions.claim(owner, functionId).publish(spec(functionId), { group });
  /** Names of the groups with the number of their members. */
  const listed = () => peers.summaries().map(({ workerId, functions: count }) => `${workerId} ${count}`);
  return { peers, groups, functions, join, listed };
}

describe('a group', () => {
  test('begins with its first member and ends with its last, however that goes', () => {
    const { functions, join, listed, peers } = setUp();
    const [one, two] = [ownerOf('one'), ownerOf('two')];
    join(one, 'a', 'shop');
    join(one, 'b', 'shop');
    join(two, 'c', 'bank');
    assert.deepEqual(listed(), ['bank 1', 'shop 2']);
    functions.release(one, 'a');
    assert.deepEqual(listed(), ['bank 1', 'shop 1']);
    // Registered again without it.
    functions.register(one, spec('b'));
    assert.deepEqual(listed(), ['bank 1']);
    functions.releaseAll(two);
    assert.deepEqual(listed(), []);
    // Nothing is kept of it, unlike of a remote.
    assert.equal(peers.has('shop'), false);
  });

  test('is shown as the worker of its members, and its owner is not', () => {
    const { functions, join } = setUp();
    const one = ownerOf('one');
    join(one, 'a', 'shop');
    join(one, 'b');
    assert.deepEqual(
      functions
        .list()
        .functions.map(({ functionId, origin, workerId, workerName }) => [functionId, origin, workerId, workerName]),
      [
        ['a', 'group', 'shop', 'shop'],
        ['b', 'remote', 'one', 'called-one'],
      ],
    );
    assert.deepEqual([functions.countListed(one), functions.countOf(one)], [1, 2]);
    assert.equal(functions.list({ worker: 'shop' }).functions.length, 1);
    assert.equal(functions.list({ worker: 'called-one' }).functions.length, 1);
  });

  test('has one shape, and was connected when its first member was, whoever comes and goes', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-01-02T03:04:05.006Z') });
    const { functions, join, peers } = setUp();
    const one = ownerOf('one');
    join(one, 'a', 'shop');
    t.mock.timers.tick(60_000);
    join(one, 'b', 'shop');
    functions.release(one, 'a');
    join(one, 'b', 'shop');
    assert.deepEqual(peers.view('shop'), {
      workerId: 'shop',
      origin: 'group',
      kind: null,
      displayName: 'shop',
      status: 'available',
      createdAt: '2026-01-02T03:04:05.006Z',
      mailbox: { messages: 0, bytes: 0 },
      functions: 1,
      runtime: 'engine',
      version: '1.2.3',
      connectedAt: '2026-01-02T03:04:05.006Z',
      inFlight: 0,
      disconnectReason: null,
      description: null,
      os: null,
      pid: null,
      isolation: null,
      address: null,
      lateResults: 0,
      refused: [],
    });
  });

  test('passes a member on in one step: nobody who looks sees it nowhere, or an empty group', () => {
    const { functions, join, listed } = setUp();
    const one = ownerOf('one');
    join(one, 'a', 'shop');
    const seen: unknown[] = [];
    functions.onChange(() => seen.push([functions.get('a')?.worker.ownerId, ...listed()]));
    join(one, 'a', 'bank');
    join(one, 'a');
    join(one, 'a', 'shop');
    assert.deepEqual(seen, [['bank', 'bank 1'], ['one'], ['shop', 'shop 1']]);
  });

  test('lets a call that is under way end where it began', async () => {
    const { functions, join } = setUp();
    const one = ownerOf('one');
    const { handler, open } = gated<string>();
    functions.claim(one, 'a').publish(spec('a'), { server: { serve: handler }, group: 'shop' });
    const before = functions.call('a', CALL);
    join(one, 'a', 'bank');
    assert.equal(await functions.call('a', CALL), '"one"');
    open('"old"');
    assert.equal(await before, '"old"');
  });

  test("is its owner's: another's function cannot join it, and is not registered", () => {
    const { functions, join, listed } = setUp();
    const [one, two] = [ownerOf('one'), ownerOf('two')];
    join(one, 'a', 'shop');
    join(two, 'b');
    const before = functions.get('b');
    assert.equal(
      codeFrom(() => join(two, 'b', 'shop')),
      'worker_exists',
    );
    assert.equal(
      codeFrom(() => join(two, 'c', 'shop')),
      'worker_exists',
    );
    assert.deepEqual([functions.get('b'), functions.get('c'), listed()], [before, undefined, ['shop 1']]);
    // The id is free again.
    assert.notEqual(join(one, 'c'), null);
    functions.releaseAll(one);
    assert.notEqual(join(two, 'b', 'shop'), null);
  });

  test('cannot have the name of a worker, nor one that no worker could have', () => {
    const { peers, join, listed } = setUp(['engine', 'counter', 'some-worker']);
    const [one] = [ownerOf('one')];
    peers.add(peerOf('r1', { displayName: 'a remote' }));
    peers.add(peerOf('r2', { displayName: 'called' }));
    for (const name of ['engine', 'counter', 'some-worker', 'r1', 'called'])
      assert.equal(
        codeFrom(() => join(one, 'a', name)),
        'worker_exists',
        name,
      );
    for (const name of ['', ' ', 'a remote', 'a/b', '../x', 'ü', 'x'.repeat(129), 'a\nb'])
      assert.equal(
        codeFrom(() => join(one, 'a', name)),
        'invalid_request',
        JSON.stringify(name),
      );
    assert.deepEqual(listed(), ['r1 2', 'r2 2']);
    for (const name of ['x'.repeat(128), '__proto__', 'constructor', 'engine:', 'Engine'])
      assert.equal(join(one, 'a', name)?.worker.ownerId, name);
  });

  test('may be what a remote has called itself that is gone', () => {
    const { peers, join } = setUp();
    const gone = peerOf('r1', { displayName: 'shop' });
    peers.add(gone);
    peers.remove(gone);
    assert.equal(join(ownerOf('one'), 'a', 'shop')?.worker.ownerId, 'shop');
  });

  test('is not to be had where there are none', () => {
    const functions = new Functions();
    const one = ownerOf('one');
    const publish = () => functions.claim(one, 'a').publish(spec('a'), { group: 'shop' });
    assert.equal(codeFrom(publish), 'unsupported_operation');
    const replace = () => functions.replaceAll(one, [{ spec: spec('a'), group: 'shop' }]);
    assert.equal(codeFrom(replace), 'unsupported_operation');
    assert.equal(functions.size, 0);
  });
});

describe('all functions of an owner', () => {
  test('are replaced in one step: a group that keeps a member lives on, one that keeps none ends', () => {
    const { functions, join, listed, peers } = setUp();
    const one = ownerOf('one');
    join(one, 'a', 'shop');
    join(one, 'b', 'bank');
    const shop = functions.get('a')?.worker;
    const seen: unknown[] = [];
    functions.onChange(() =>
      seen.push([[...functions.of(one)].map(({ functionId }) => functionId).join(''), ...listed()]),
    );
    functions.replaceAll(one, [
      { spec: spec('c'), group: 'shop' },
      { spec: spec('d'), group: 'post' },
      { spec: spec('e') },
    ]);
    assert.deepEqual(seen, [['cde', 'post 1', 'shop 1']]);
    assert.equal(functions.get('c')?.worker, shop);
    assert.equal(peers.has('bank'), false);
    functions.replaceAll(one, []);
    assert.deepEqual([functions.size, listed()], [0, []]);
  });

  test('stay as they are when one of the new ones, or its group, is not to be had', () => {
    const { functions, join, listed } = setUp(['engine']);
    const [one, two] = [ownerOf('one'), ownerOf('two')];
    join(one, 'a', 'shop');
    join(two, 'b', 'bank');
    const before = functions.get('a');
    const refused: [string, Parameters<Functions['replaceAll']>[1]][] = [
      ['function_exists', [{ spec: spec('c') }, { spec: spec('b') }]],
      ['invalid_request', [{ spec: spec('c') }, { spec: spec(' ') }]],
      ['worker_exists', [{ spec: spec('c') }, { spec: spec('d'), group: 'bank' }]],
      [
        'worker_exists',
        [
          { spec: spec('c'), group: 'post' },
          { spec: spec('d'), group: 'engine' },
        ],
      ],
    ];
    for (const [code, offered] of refused) {
      assert.equal(
        codeFrom(() => functions.replaceAll(one, offered)),
        code,
      );
      assert.deepEqual(
        [[...functions.of(one)], functions.get('c'), listed()],
        [[before], undefined, ['bank 1', 'shop 1']],
      );
    }
    // Nor is any of their ids kept from others.
    for (const id of ['c', 'd']) assert.notEqual(join(two, id), null);
  });
});

describe('the registry', () => {
  test('keeps no hint of a group, whoever registers and in whichever way', () => {
    const { functions } = setUp();
    const one = ownerOf('one');
    const metadata = { iii: { generatedWorker: 'shop', virtualWorker: 'shop' }, a: 1 };
    functions.register(one, { ...spec('a'), metadata });
    functions.claim(one, 'b').publish({ ...spec('b'), metadata }, { group: 'bank' });
    assert.deepEqual(
      functions.list().functions.map((view) => view.metadata),
      [{ a: 1 }, { a: 1 }],
    );
    functions.replaceAll(one, [{ spec: { ...spec('a'), metadata: { iii: { virtualWorker: { name: 'shop' } } } } }]);
    assert.deepEqual([functions.get('a')?.metadata, functions.list().functions[0]?.metadata], [undefined, null]);
    assert.equal(functions.get('a')?.worker, one);
  });

  test('hides a member whose metadata says so, hint or not', () => {
    const { functions } = setUp();
    const metadata = { internal: true, iii: { generatedWorker: 'shop' } };
    functions.register(ownerOf('one'), { ...spec('a'), metadata });
    assert.deepEqual(functions.list().functions, []);
  });
});
