// Reading again: one step for callers, one at a time for the source; and what happens when several things are asked of it at once.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { SOURCE_READ_TIMEOUT_MS } from '../../lib/limits.ts';
import { CLOSE_TIMEOUT_MS, START_WAIT_MS } from '../../lib/sources/bounds.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { gate } from './fake-type.ts';
import { ownerOf, REST, startSources } from './setup.ts';

const definition = (name: string) => ({ name, type: 'fake' });

describe('a refresh', () => {
  test('applies the difference in one step and counts it', async (t) => {
    const { sources, place, call, idsOf, functions } = startSources(t);
    place('a').functions = { same: 1, other: 1, old: 1 };
    await sources.create(definition('a'), REST);
    const sameBefore = functions.get('a::same')?.server;
    const otherBefore = functions.get('a::other')?.server;
    place('a').functions = { same: 1, other: 2, fresh: 1 };
    const seen: string[][] = [];
    functions.onChange(() => seen.push(idsOf()));
    const { lastChange, functions: count } = await sources.refresh('a');
    assert.deepEqual(lastChange, { added: 1, changed: 1, removed: 1, unchanged: 1 });
    assert.equal(count, 3);
    assert.deepEqual(seen, [['a::fresh', 'a::other', 'a::same']]);
    assert.equal(functions.get('a::same')?.server, sameBefore);
    assert.notEqual(functions.get('a::other')?.server, otherBefore);
    assert.deepEqual(await call('a::other'), { version: 2, reads: 2, payload: null });
    assert.equal(await codeOf(call('a::old')), 'function_not_found');
  });

  test('without a difference changes nothing', async (t) => {
    const { sources, functions } = startSources(t);
    await sources.create(definition('a'), REST);
    const before = functions.get('a::one');
    const { lastChange } = await sources.refresh('a');
    assert.deepEqual(lastChange, { added: 0, changed: 0, removed: 0, unchanged: 2 });
    assert.equal(functions.get('a::one'), before);
  });

  test('lets calls in flight end on what they began with', async (t) => {
    const { sources, place, call } = startSources(t);
    const held = gate();
    Object.assign(place('a'), { functions: { held: 1, kept: 1 }, held: held.promise });
    await sources.create(definition('a'), REST);
    const calls = [call('a::held', 'before')];
    place('a').functions = { held: 2 };
    await sources.refresh('a');
    calls.push(call('a::held', 'between'));
    place('a').functions = { kept: 1 };
    await sources.refresh('a');
    assert.equal(await codeOf(call('a::held')), 'function_not_found');
    held.open();
    assert.deepEqual(await Promise.all(calls), [
      { version: 1, reads: 3, payload: 'before' },
      { version: 2, reads: 3, payload: 'between' },
    ]);
  });

  test('that fails leaves what was there, shows it, and is tried again', async (t) => {
    const { sources, place, call, idsOf, functions } = startSources(t);
    await sources.create(definition('a'), REST);
    const { refreshedAt } = sources.view('a');
    const taken = ownerOf('r');
    functions.register(taken, { functionId: 'a::taken', description: null });
    place('a').functions = { one: 2, taken: 1 };
    assert.equal(await codeOf(sources.refresh('a')), 'function_exists');
    const { status, error, refreshedAt: at, functions: count, lastChange } = sources.view('a');
    assert.deepEqual([status, error, at, count], ['failed', 'function_exists', refreshedAt, 2]);
    assert.deepEqual(lastChange, { added: 2, changed: 0, removed: 0, unchanged: 0 });
    assert.deepEqual(idsOf(), ['a::one', 'a::taken', 'a::two']);
    assert.deepEqual(await call('a::one'), { version: 1, reads: 2, payload: null });
    functions.releaseAll(taken);
    await eventually(() => sources.view('a').status === 'available');
    assert.deepEqual(idsOf(), ['a::one', 'a::taken']);
  });

  test('finds nothing left, and later something again: the group goes and comes', async (t) => {
    const { sources, place, peers } = startSources(t);
    await sources.create(definition('a'), REST);
    place('a').functions = {};
    assert.equal((await sources.refresh('a')).functions, 0);
    assert.equal(peers.has('a'), false);
    place('a').functions = { one: 1 };
    await sources.refresh('a');
    assert.equal(peers.view('a')?.functions, 1);
  });

  test('that is asked for while one waits is that one; one that is asked for while one runs is another', async (t) => {
    const { sources, place } = startSources(t);
    await sources.create(definition('a'), REST);
    const held = gate();
    place('a').gate = held.promise;
    const first = sources.refresh('a');
    await eventually(() => place('a').reads === 2);
    place('a').functions = { three: 1 };
    const later = [sources.refresh('a'), sources.refresh('a'), sources.refresh('a')];
    place('a').gate = null;
    held.open();
    await Promise.all([first, ...later]);
    assert.equal(place('a').reads, 3);
  });

  test('goes on when who asked for it has gone', async (t) => {
    const { sources, place, idsOf } = startSources(t);
    await sources.create(definition('a'), REST);
    const held = gate();
    Object.assign(place('a'), { gate: held.promise, functions: { three: 1 } });
    const going = new AbortController();
    const refreshed = codeOf(sources.refresh('a', going.signal));
    await eventually(() => place('a').reads === 2);
    going.abort();
    assert.equal(await refreshed, 'cancelled');
    held.open();
    await eventually(() => idsOf().includes('a::three'));
  });
});

describe('what is asked at once', () => {
  test('of two that make a source of one name the first makes it', async (t) => {
    const { sources, place } = startSources(t);
    const codes = [1, 2].map(() => codeOf(sources.create(definition('a'), REST).then(() => 'made')));
    assert.deepEqual(await Promise.all(codes), ['made', 'worker_exists']);
    assert.equal(place('a').reads, 1);
  });

  test('a source that is deleted while it is made is not made', async (t) => {
    const { sources, place, store, idsOf } = startSources(t);
    const held = gate();
    place('a').gate = held.promise;
    const made = codeOf(sources.create(definition('a'), REST));
    await eventually(() => place('a').reads === 1);
    await sources.delete('a');
    held.open();
    assert.equal(await made, 'cancelled');
    assert.deepEqual([idsOf(), [...store.sources()], place('a').closes], [[], [], 1]);
  });

  test('a source that is deleted in any moment of its making leaves nothing', async (t) => {
    const { sources, place, store, idsOf } = startSources(t);
    let isMadeFirst = false;
    for (let turns = 0; !isMadeFirst; turns++) {
      const held = gate();
      const reads = place('a').reads;
      place('a').gate = held.promise;
      const made = codeOf(sources.create(definition('a'), REST).then(() => 'made'));
      await eventually(() => place('a').reads > reads);
      held.open();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await sources.delete('a');
      const outcome = await made;
      assert.ok(outcome === 'cancelled' || outcome === 'made', String(outcome));
      isMadeFirst = outcome === 'made';
      assert.deepEqual([idsOf(), [...store.sources()], sources.counts.total], [[], [], 0], `after ${turns}`);
      assert.ok(turns < 1_000);
    }
  });

  test('a deletion aborts the reading that is under way and those that wait', async (t) => {
    const { sources, place, idsOf } = startSources(t);
    await sources.create(definition('a'), REST);
    const held = gate();
    place('a').gate = held.promise;
    const running = codeOf(sources.refresh('a'));
    await eventually(() => place('a').reads === 2);
    const waiting = codeOf(sources.refresh('a'));
    await Promise.all([sources.delete('a'), sources.delete('a')]);
    assert.deepEqual([await running, await waiting], ['cancelled', 'cancelled']);
    place('a').functions = { late: 1 };
    held.open();
    assert.equal(await codeOf(sources.refresh('a')), 'not_found');
    assert.deepEqual([idsOf(), place('a').reads, place('a').closes], [[], 2, 1]);
  });

  test('a name is free when its source is closed, not before; its functions are gone at once', async (t) => {
    const { sources, place, idsOf } = startSources(t);
    await sources.create(definition('a'), REST);
    const closing = gate();
    place('a').onClose = () => closing.promise;
    const deleted = sources.delete('a');
    assert.deepEqual(idsOf(), []);
    assert.equal(await codeOf(sources.create(definition('a'), REST)), 'worker_exists');
    closing.open();
    await deleted;
    await sources.create(definition('a'), REST);
    assert.deepEqual(idsOf(), ['a::one', 'a::two']);
  });

  test('the end of the runtime ends what is under way and makes no more', async (t) => {
    const { sources, place, store } = startSources(t);
    await sources.create(definition('a'), REST);
    const held = gate();
    for (const name of ['a', 'b', 'c']) place(name).gate = held.promise;
    const asked = [
      codeOf(sources.refresh('a')),
      codeOf(sources.create(definition('b'), REST)),
      codeOf(sources.preview(definition('c'), REST)),
    ];
    await eventually(() => place('c').reads === 1);
    await sources.close();
    assert.deepEqual(await Promise.all(asked), Array(3).fill('runtime_unavailable'));
    assert.equal(await codeOf(sources.create(definition('d'), REST)), 'runtime_unavailable');
    assert.deepEqual(
      [...store.sources()].map(({ name }) => name),
      ['a'],
    );
    assert.deepEqual([place('a').closes, place('b').closes, place('c').closes], [1, 1, 1]);
  });
});

describe('a source that changes by itself', () => {
  test('is read again, once for many events', async (t) => {
    const { sources, place, idsOf } = startSources(t);
    await sources.create(definition('a'), REST);
    place('a').functions = { three: 1 };
    for (let n = 0; n < 100; n++) place('a').events?.changed();
    await eventually(() => idsOf().includes('a::three'));
    assert.equal(place('a').reads, 2);
  });

  test('tells of its health, which is shown as it is', async (t) => {
    const { sources, place, lines, call } = startSources(t);
    await sources.create(definition('a'), REST);
    const health = { status: 'failed', error: 'http_request_failed' } as const;
    place('a').health = health;
    place('a').events?.healthChanged(health);
    const { status, error } = sources.view('a');
    assert.deepEqual([status, error, sources.counts.failed], ['failed', 'http_request_failed', 1]);
    assert.deepEqual(lines, [
      {
        level: 'warn',
        message: 'the health of a source has changed',
        fields: { source: 'a', type: 'fake', status: 'failed', code: 'http_request_failed' },
      },
    ]);
    await call('a::one');
  });

  test('says nothing more once it is deleted', async (t) => {
    const { sources, place, lines } = startSources(t);
    await sources.create(definition('a'), REST);
    place('a').events?.changed();
    await sources.delete('a');
    const timers = t.mock.method(globalThis, 'setTimeout');
    place('a').events?.changed();
    place('a').events?.healthChanged({ status: 'failed', error: 'internal' });
    assert.deepEqual([lines, place('a').reads, timers.mock.callCount()], [[], 1, 0]);
  });
});

describe('a source that does not answer', () => {
  test('is given up when its time is over', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { sources, place, idsOf } = startSources(t);
    place('a').gate = new Promise(() => undefined);
    const made = codeOf(sources.create(definition('a'), REST));
    await eventually(() => place('a').reads === 1);
    t.mock.timers.tick(SOURCE_READ_TIMEOUT_MS);
    assert.equal(await made, 'timeout');
    assert.deepEqual([idsOf(), sources.counts.total], [[], 0]);
  });

  test('does not hold up the start of the runtime', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { sources, place, idsOf } = startSources(t);
    const held = gate();
    place('slow').gate = held.promise;
    const opened = sources.open([definition('slow'), definition('quick')]);
    await eventually(() => idsOf().includes('quick::one'));
    t.mock.timers.tick(START_WAIT_MS);
    await opened;
    assert.deepEqual([sources.view('slow').status, sources.counts.failed], ['connecting', 0]);
    held.open();
    await eventually(() => idsOf().includes('slow::one'));
  });

  test('is left to itself when it does not close', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { sources, place, lines } = startSources(t);
    await sources.create(definition('a'), REST);
    place('a').onClose = () => new Promise(() => undefined);
    const deleted = sources.delete('a');
    await eventually(() => place('a').closes === 1);
    t.mock.timers.tick(CLOSE_TIMEOUT_MS);
    await deleted;
    assert.deepEqual(
      lines.map(({ message, fields }) => [message, fields['code']]),
      [['a source could not be closed', 'timeout']],
    );
  });

  test('may fail to close', async (t) => {
    const { sources, place, lines } = startSources(t);
    await sources.create(definition('a'), REST);
    place('a').onClose = () => Promise.reject(GreenroomError.of('internal'));
    await sources.delete('a');
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn'],
    );
    assert.equal(sources.counts.total, 0);
  });
});
