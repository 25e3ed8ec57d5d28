// Sources as resources: made, listed, read again in one step, deleted, and made again from the store.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { MAX_PREVIEWS, STARTS_AT_ONCE } from '../../lib/sources/bounds.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { gate } from './fake-type.ts';
import { OPERATOR, ownerOf, REST, startSources } from './setup.ts';

const definition = (name: string, more: object = {}) => ({ name, type: 'fake', ...more });

describe('a source that is made', () => {
  test('serves its functions as a group, and says what it is and nothing of its settings', async (t) => {
    const { sources, place, call, functions, peers, idsOf } = startSources(t);
    place('pets').unmapped = [{ operation: 'GET /x', reason: 'No.', isServed: true }];
    const view = await sources.create(definition('pets', { url: 'http://secret', auth: { token: 'secret' } }), REST);
    assert.deepEqual(view, {
      name: 'pets',
      type: 'fake',
      title: 'A place',
      status: 'available',
      error: null,
      functions: 2,
      createdAt: view.createdAt,
      refreshedAt: view.refreshedAt,
      lastChange: { added: 2, changed: 0, removed: 0, unchanged: 0 },
      unmappedTotal: 1,
      unmapped: [{ operation: 'GET /x', reason: 'No.', isServed: true }],
    });
    assert.deepEqual(sources.view('pets'), view);
    const { unmapped, ...summary } = view;
    assert.equal(unmapped.length, 1);
    assert.deepEqual(sources.list(), { sources: [summary], nextAfter: null });
    assert.deepEqual(sources.counts, { total: 1, failed: 0 });
    assert.deepEqual(idsOf(), ['pets::one', 'pets::two']);
    assert.deepEqual(await call('pets::one', 7), { version: 1, reads: 1, payload: 7 });
    assert.equal(peers.view('pets')?.functions, 2);
    assert.doesNotMatch(JSON.stringify([view, functions.list(), peers.views()]), /secret/);
    assert.deepEqual(place('pets').definition, {
      name: 'pets',
      type: 'fake',
      include: undefined,
      exclude: undefined,
      isFromOperator: false,
      settings: { url: 'http://secret', auth: { token: 'secret' } },
    });
  });

  test('has the functions that its patterns name', async (t) => {
    const { sources, place, idsOf } = startSources(t);
    place('a').functions = { 'pets.get': 1, 'pets.drop': 1, users: 1 };
    await sources.create(definition('a', { include: ['pets.*', 'nobody'], exclude: ['*.drop'] }), REST);
    assert.deepEqual(idsOf(), ['a::pets.get']);
  });

  test('lists a function whose name cannot be part of an id as left out', async (t) => {
    const { sources, place, idsOf } = startSources(t);
    place('a').functions = { ['x'.repeat(254)]: 1, ['y'.repeat(253)]: 1, '': 1, ' z ': 1 };
    const { unmappedTotal, unmapped } = await sources.create(definition('a'), REST);
    assert.deepEqual(idsOf(), [`a::${'y'.repeat(253)}`]);
    assert.equal(unmappedTotal, 3);
    assert.ok(unmapped.every(({ isServed, operation }) => !isServed && operation.length <= 512));
  });

  test('shows so many of what it leaves out, and counts the rest', async (t) => {
    const { sources, place } = startSources(t);
    const reason = 'r'.repeat(1_000);
    place('a').unmapped = Array.from({ length: 300 }, (_, n) => ({ operation: `${n}`, reason, isServed: false }));
    const { unmappedTotal, unmapped } = await sources.create(definition('a'), REST);
    assert.deepEqual([unmappedTotal, unmapped.length, unmapped[0]?.reason.length], [300, 256, 512]);
  });

  test('loads its type once, and again after that has failed', async (t) => {
    const { sources, load, loads } = startSources(t);
    load.failure = new Error('no module');
    assert.equal(await codeOf(sources.create(definition('a'), REST)), 'internal');
    load.failure = null;
    for (const name of ['a', 'b', 'c']) await sources.create(definition(name), REST);
    assert.equal(loads(), 2);
  });

  test('is listed in pages, ascending by name', async (t) => {
    const { sources } = startSources(t);
    for (const name of ['c', 'a', 'b']) await sources.create(definition(name), REST);
    const names = (query: object) => {
      const { sources: found, nextAfter } = sources.list(query);
      return [found.map(({ name }) => name), nextAfter];
    };
    assert.deepEqual(names({}), [['a', 'b', 'c'], null]);
    assert.deepEqual(names({ limit: 2 }), [['a', 'b'], 'b']);
    assert.deepEqual(names({ limit: 2, after: 'b' }), [['c'], null]);
  });
});

describe('a source that cannot be made leaves nothing:', () => {
  const cases: [title: string, code: string, prepare: (given: ReturnType<typeof startSources>) => void][] = [
    ['its reading fails', 'invalid_source', ({ place }) => (place('a').failure = GreenroomError.of('invalid_source'))],
    ['its reading throws what is no error of ours', 'internal', ({ place }) => (place('a').failure = new Error('x'))],
    ['it has too many functions', 'invalid_source', ({ place }) => (place('a').functions = { a: 1, b: 1, c: 1, d: 1 })],
    [
      'somebody else serves one of its functions',
      'function_exists',
      ({ functions }) => functions.register(ownerOf('r'), { functionId: 'a::two', description: null }),
    ],
    [
      'another group has its name',
      'worker_exists',
      ({ functions }) =>
        functions.replaceAll(ownerOf('r'), [{ spec: { functionId: 'r::x', description: null }, group: 'a' }]),
    ],
  ];
  for (const [title, code, prepare] of cases) {
    test(title, async (t) => {
      const given = startSources(t, { limits: { maxFunctionsPerSource: 3 } });
      prepare(given);
      const before = given.idsOf();
      const place = given.place('a');
      assert.equal(await codeOf(given.sources.create(definition('a'), REST)), code);
      assert.deepEqual(given.idsOf(), before);
      assert.deepEqual([given.sources.list().sources, [...given.store.sources()]], [[], []]);
      assert.equal(place.closes, title.includes('group') ? 0 : 1);
      assert.equal(await codeOf(given.sources.delete('a')), 'not_found');
    });
  }

  test('a worker has its name', async (t) => {
    const { sources, place } = startSources(t, { workers: ['a'] });
    assert.equal(await codeOf(sources.create(definition('a'), REST)), 'worker_exists');
    assert.equal(place('a').reads, 0);
  });

  test('its definition is not valid', async (t) => {
    const { sources, place } = startSources(t);
    const pathOf = (document: unknown) =>
      sources
        .create(document, REST)
        .catch((thrown: GreenroomError) => [
          thrown.code,
          (thrown.details?.['issues'] as { path: string }[] | undefined)?.[0]?.path,
        ]);
    assert.deepEqual(await pathOf(definition('a', { wrong: 1 })), ['invalid_request', 'wrong']);
    assert.deepEqual(await pathOf({ type: 'fake' }), ['invalid_request', 'name']);
    assert.deepEqual(await pathOf(definition('a::b')), ['invalid_request', 'name']);
    assert.deepEqual(await pathOf({ name: 'a', type: 'nobody' }), ['invalid_request', 'type']);
    assert.deepEqual(await pathOf({ name: 'a', type: 'constructor' }), ['invalid_request', 'type']);
    assert.deepEqual(await pathOf(definition('a', { include: [] })), ['invalid_request', 'include']);
    assert.deepEqual(await pathOf(definition('a', { command: 'sh' })), ['forbidden', undefined]);
    assert.equal(place('a').reads, 0);
    assert.deepEqual(sources.counts, { total: 0, failed: 0 });
  });

  test('there are as many as there may be, until one is deleted', async (t) => {
    const { sources } = startSources(t, { limits: { maxSources: 2 } });
    await sources.create(definition('a'), REST);
    await sources.create(definition('b'), REST);
    assert.equal(await codeOf(sources.create(definition('c'), REST)), 'runtime_overloaded');
    await sources.delete('a');
    await sources.create(definition('c'), REST);
  });

  test('who asked for it gives up', async (t) => {
    const { sources, place, idsOf } = startSources(t);
    const held = gate();
    place('a').gate = held.promise;
    const giving = new AbortController();
    const made = codeOf(sources.create(definition('a'), { ...REST, signal: giving.signal }));
    await eventually(() => place('a').reads === 1);
    assert.equal(sources.view('a').status, 'connecting');
    giving.abort();
    assert.equal(await made, 'cancelled');
    held.open();
    assert.deepEqual([idsOf(), sources.counts.total, place('a').closes], [[], 0, 1]);
    await sources.create(definition('a'), REST);
  });

  test('the store fails', async (t) => {
    const { sources, store, idsOf } = startSources(t);
    t.mock.method(store, 'putSource', () => {
      throw GreenroomError.of('runtime_unavailable');
    });
    assert.equal(await codeOf(sources.create(definition('a'), REST)), 'runtime_unavailable');
    assert.deepEqual([idsOf(), sources.counts.total], [[], 0]);
  });

  test('the store cannot write any more', async (t) => {
    const { sources, store, idsOf } = startSources(t);
    await sources.create(definition('kept'), REST);
    const trouble = GreenroomError.of('runtime_unavailable', { details: { reason: 'store_failed' } });
    const failing = t.mock.method(store, 'committed', () => Promise.reject(trouble));
    assert.equal(await codeOf(sources.create(definition('a'), REST)), 'runtime_unavailable');
    failing.mock.restore();
    Object.defineProperty(store, 'trouble', { value: trouble });
    assert.equal(await codeOf(sources.create(definition('a'), REST)), 'runtime_unavailable');
    assert.equal(await codeOf(sources.delete('kept')), 'runtime_unavailable');
    const names = [...store.sources()].map(({ name }) => name);
    assert.deepEqual([idsOf(), names], [['kept::one', 'kept::two'], ['kept']]);
  });
});

describe('a dry run', () => {
  test('shows what would be made and makes nothing', async (t) => {
    const { sources, place, idsOf, store, peers } = startSources(t);
    const preview = await sources.preview(definition('a', { exclude: ['two'] }), REST);
    assert.deepEqual(preview, {
      name: 'a',
      type: 'fake',
      title: 'A place',
      functions: [
        {
          functionId: 'a::one',
          description: 'Does one.',
          requestFormat: { type: 'object', title: 'one 1' },
          responseFormat: null,
        },
      ],
      formatsOmitted: 0,
      unmapped: [],
      unmappedTotal: 0,
    });
    assert.deepEqual([idsOf(), sources.counts.total, [...store.sources()], peers.size], [[], 0, [], 0]);
    assert.equal(place('a').closes, 1);
  });

  test('is refused as the real thing would be', async (t) => {
    const { sources, functions } = startSources(t, { workers: ['w'] });
    functions.register(ownerOf('r'), { functionId: 'b::two', description: null });
    await sources.create(definition('a'), REST);
    const refusals = ['a', 'b', 'w'].map((name) => codeOf(sources.preview(definition(name), REST)));
    assert.deepEqual(await Promise.all(refusals), ['worker_exists', 'function_exists', 'worker_exists']);
  });

  test('shows schemas up to its bound and counts the others', async (t) => {
    const { sources, place } = startSources(t);
    const long = 'x'.repeat(245);
    place('a').functions = Object.fromEntries(Array.from({ length: 4_096 }, (_, n) => [`${long}${1_000 + n}`, 1]));
    const { functions, formatsOmitted } = await sources.preview(definition('a'), REST);
    const shown = functions.filter(({ requestFormat }) => requestFormat !== null).length;
    assert.equal(shown + formatsOmitted, 4_096);
    const expected = Math.floor((1_024 * 1_024) / JSON.stringify(functions[0]?.requestFormat).length);
    assert.equal(shown, expected);
  });

  test('waits for no more than so many others', async (t) => {
    const { sources, place } = startSources(t);
    const held = gate();
    const names = Array.from({ length: MAX_PREVIEWS + 1 }, (_, n) => `n${n}`);
    for (const name of names) place(name).gate = held.promise;
    const codes = names.map((name) => codeOf(sources.preview(definition(name), REST)));
    assert.equal(await codes.at(-1), 'runtime_overloaded');
    held.open();
    await Promise.all(codes);
    await sources.preview(definition('last'), REST);
  });
});

describe('the store', () => {
  test('has the sources that were made, byte by byte, and not those that are deleted', async (t) => {
    const { sources, store } = startSources(t);
    const text = '{"type":"fake", "name":"a","more":[1]}';
    await sources.create(Buffer.from(text), REST);
    await sources.create(definition('b'), OPERATOR);
    assert.deepEqual(
      [...store.sources()],
      [
        { name: 'a', document: text, isFromOperator: false },
        { name: 'b', document: '{"name":"b","type":"fake"}', isFromOperator: true },
      ],
    );
    await sources.delete('a');
    assert.deepEqual(
      [...store.sources()].map(({ name }) => name),
      ['b'],
    );
  });

  test('makes them anew: those that are wrong by now are failed, or a line in the log, and keep nobody', async (t) => {
    const before = startSources(t);
    await before.sources.create(Buffer.from('{"name":"a","type":"fake"}'), REST);
    await before.sources.create(definition('b', { command: 'sh' }), OPERATOR);
    await before.sources.close();
    assert.equal([...before.store.sources()].length, 2);
    before.store.putSource({ name: 'c', document: '{"name":"c","type":"gone"}', isFromOperator: false });
    before.store.putSource({ name: 'd', document: '{"name":"d","type":"fake","command":1}', isFromOperator: false });
    before.store.putSource({ name: 'e', document: '{"name":"e","type":"fake"}', isFromOperator: false });
    const { sources, call, place, lines, idsOf } = startSources(t, { store: before.store });
    await sources.open([definition('e', { of: 'the configuration' })]);
    assert.deepEqual(
      sources.list().sources.map(({ name, status, error }) => [name, status, error]),
      [
        ['a', 'available', null],
        ['b', 'available', null],
        ['d', 'failed', 'forbidden'],
        ['e', 'available', null],
      ],
    );
    assert.deepEqual(sources.counts, { total: 4, failed: 1 });
    assert.deepEqual(idsOf(), ['a::one', 'a::two', 'b::one', 'b::two', 'e::one', 'e::two']);
    assert.deepEqual(await call('b::one'), { version: 1, reads: 1, payload: null });
    assert.deepEqual(place('e').definition?.settings, { of: 'the configuration' });
    const warned = lines
      .filter(({ level }) => level === 'warn')
      .map(({ message, fields }) => [message, fields['source'], fields['code']]);
    assert.deepEqual(warned, [
      ['a source of the store cannot be restored', 'c', 'invalid_request'],
      ['a source of the store cannot be restored', 'e', 'worker_exists'],
      ['a source cannot be read', 'd', 'forbidden'],
    ]);
  });
});

describe('the sources of the configuration', () => {
  test('that cannot be read are failed, and tried again until they can', async (t) => {
    const { sources, place, lines, idsOf, store } = startSources(t);
    place('down').failure = GreenroomError.of('http_request_failed', { message: 'no connection to http://secret' });
    await sources.open([definition('down'), definition('up')]);
    assert.deepEqual(sources.counts, { total: 2, failed: 1 });
    assert.deepEqual([sources.view('down').status, sources.view('down').error], ['failed', 'http_request_failed']);
    assert.deepEqual(idsOf(), ['up::one', 'up::two']);
    place('down').failure = null;
    await eventually(() => sources.view('down').status === 'available');
    await sources.refresh('down');
    assert.deepEqual(idsOf(), ['down::one', 'down::two', 'up::one', 'up::two']);
    assert.deepEqual(
      lines.map(({ level, message, fields }) => [level, message, fields]),
      [
        [
          'warn',
          'a source cannot be read',
          { source: 'down', type: 'fake', code: 'http_request_failed', error_name: undefined, failures: 1 },
        ],
        ['info', 'a source can be read again', { source: 'down', type: 'fake' }],
      ],
    );
    assert.deepEqual([...store.sources()], []);
  });

  test('are read a few at a time', async (t) => {
    const { sources, place } = startSources(t);
    const names = Array.from({ length: 2 * STARTS_AT_ONCE }, (_, n) => `s${n}`);
    const held = gate();
    for (const name of names) place(name).gate = held.promise;
    const reads = () => names.reduce((sum, name) => sum + place(name).reads, 0);
    const opened = sources.open(names.map((name) => definition(name)));
    await eventually(() => reads() === STARTS_AT_ONCE);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(reads(), STARTS_AT_ONCE);
    held.open();
    await opened;
    assert.deepEqual([reads(), sources.counts.failed], [names.length, 0]);
  });

  test('that are not valid stop the start, and the message says where', async (t) => {
    const { sources } = startSources(t, { workers: ['w'] });
    const messageOf = (documents: unknown[]) =>
      sources.open(documents).catch((thrown: GreenroomError) => [thrown.code, thrown.message]);
    assert.deepEqual(await messageOf([definition('a'), definition('b', { wrong: 1 })]), [
      'invalid_option',
      'sources[1] (b): wrong unknown key',
    ]);
    assert.deepEqual(await messageOf([definition('c'), definition('c')]), [
      'invalid_option',
      'sources[1] (c): There is a source called c.',
    ]);
    assert.deepEqual(await messageOf([1]), ['invalid_option', 'sources[0]: expected an object']);
    assert.deepEqual(await messageOf([definition('w')]), [
      'invalid_option',
      'sources[0] (w): Another worker or group is called w.',
    ]);
  });
});
