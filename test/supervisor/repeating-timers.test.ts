// Timers with names: those that fire again and again, are replaced, or are taken back.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ORIGIN_MS, replaceTime } from '../../lib/protocol/clock.ts';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { DurableRuntime } from '../support/durable.ts';
import {
  codeOf,
  emitted,
  eventually,
  openGate,
  recordLog,
  startRuntime,
  temporaryFolder,
  transcriptOf,
} from '../support/start-runtime.ts';

const HOUR_MS = 3_600_000;
/** Soon enough to be in memory, too late to come by itself. */
const SOON_MS = 30_000;

interface Options {
  readonly options?: { readonly name?: unknown; readonly timeZone?: unknown };
  readonly then?: 'throw';
}

const after = (worker: WorkerHandle, ms: unknown, note: unknown, more: Options = {}) =>
  worker.ask({ do: 'after', ms, note, ...more });
const every = (worker: WorkerHandle, period: unknown, note: unknown, more: Options = {}) =>
  worker.ask({ do: 'every', every: period, note, ...more });
const cancel = (worker: WorkerHandle, name: unknown, more: Options = {}) => worker.ask({ do: 'cancel', name, ...more });

/** What its timers have sent so far. */
async function sent(worker: WorkerHandle): Promise<unknown[]> {
  const entries = await transcriptOf(worker);
  return entries.flatMap(({ type, data }) =>
    type === 'input' && (data as { do: string }).do === 'note' ? [(data as { note: unknown }).note] : [],
  );
}

const isMark = (note: unknown): boolean => String(note).startsWith('mark ');

/** The same, once there are so many. */
const sentOnce = (worker: WorkerHandle, count: number) =>
  eventually(async () => {
    const notes = (await sent(worker)).filter((note) => !isMark(note));
    return notes.length >= count && notes;
  });

let marks = 0;

/** All that was sent until now, and what is due within a moment. */
async function sentUntilNow(worker: WorkerHandle): Promise<unknown[]> {
  const mark = `mark ${marks++}`;
  await after(worker, 60, mark);
  const notes = await eventually(async () => {
    const all = await sent(worker);
    return all.includes(mark) && all;
  });
  return notes.slice(0, notes.indexOf(mark)).filter((note) => !isMark(note));
}

/** The runtime's clock is that much ahead of the machine's from then on. */
function shiftTime(t: TestContext): (byMs: number) => void {
  let aheadMs = 0;
  const restore = replaceTime({
    now: () => Date.now() - ORIGIN_MS + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
    wake: (delayMs, due) => {
      const timer = setTimeout(due, delayMs);
      return () => clearTimeout(timer);
    },
  });
  t.after(restore);
  return (byMs) => (aheadMs += byMs);
}

for (const store of ['memory', 'lmdb'] as const) {
  describe(`a timer with a name, with the store ${store}`, () => {
    const start = (t: TestContext, more: object = {}): Promise<Runtime> =>
      startRuntime(t, { store, dataDir: store === 'lmdb' ? temporaryFolder(t) : undefined, ...more });
    const ticker = async (t: TestContext, more?: object) => (await start(t, more)).create({ kind: 'ticker' });

    test('is called as it was named, or as nothing else is', async (t) => {
      const worker = await ticker(t);
      assert.equal(await after(worker, HOUR_MS, 1, { options: { name: 'mine' } }), 'mine');
      const names = [await after(worker, HOUR_MS, 1), await every(worker, HOUR_MS, 1), await after(worker, HOUR_MS, 1)];
      assert.equal(new Set(names).size, 3);
      assert.ok(names.every((name) => typeof name === 'string'));
    });

    test('fires again and again until it is cancelled', async (t) => {
      const worker = await ticker(t);
      const name = await every(worker, 10, 'tick');
      assert.deepEqual((await sentOnce(worker, 3)).slice(0, 3), ['tick', 'tick', 'tick']);
      await cancel(worker, name);
      await sentUntilNow(worker);
      const entries = await transcriptOf(worker);
      const isCancel = ({ type, data }: (typeof entries)[number]) =>
        type === 'input' && (data as { do: string }).do === 'cancel';
      const cancelled = entries.find(isCancel)?.inputId;
      const end = entries.findIndex(({ type, inputId }) => type === 'output' && inputId === cancelled);
      const later = entries
        .slice(end)
        .filter(({ type, data }) => type === 'input' && (data as { note?: unknown }).note === 'tick');
      assert.ok(end > 0);
      assert.deepEqual(later, []);
    });

    test('fires at the times of a cron pattern', async (t) => {
      const worker = await ticker(t);
      await every(worker, '* * * * * *', 'tick', { options: { timeZone: 'Europe/Berlin' } });
      assert.deepEqual(await sentOnce(worker, 1), ['tick']);
    });

    test('skips its time while the input before has no outcome, and says how often', async (t) => {
      const shift = shiftTime(t);
      const { log, lines } = recordLog();
      const worker = await ticker(t, { log });
      const gate = `ticks ${store}`;
      await after(worker, SOON_MS, 'between');
      await every(worker, 10, { note: 'tick', gate }, { options: { name: 'ticks' } });
      await emitted(worker, 'waiting');
      shift(HOUR_MS);
      assert.deepEqual(await sentOnce(worker, 2), ['tick', 'between']);
      openGate(gate);
      assert.deepEqual((await sentOnce(worker, 3)).slice(0, 3), ['tick', 'between', 'tick']);
      const line = await eventually(() => lines.find(({ message }) => message === 'times of a timer were skipped'));
      assert.equal(line.fields['timer'], 'ticks');
      assert.ok((line.fields['skipped'] as number) > 0);
      await worker.stop();
    });

    test('replaces the one of its name, whatever that was', async (t) => {
      const shift = shiftTime(t);
      const worker = await ticker(t);
      const options = { name: 'x' };
      await after(worker, SOON_MS, 'first', { options });
      await every(worker, SOON_MS, 'second', { options });
      await after(worker, SOON_MS, 'third', { options });
      shift(HOUR_MS);
      assert.deepEqual(await sentUntilNow(worker), ['third']);
      await after(worker, SOON_MS, 'fourth', { options });
      await every(worker, 10 * HOUR_MS, 'fifth', { options });
      shift(HOUR_MS);
      assert.deepEqual(await sentUntilNow(worker), ['third']);
    });

    test('that is cancelled does not fire, whether it was due soon or much later; another one stays', async (t) => {
      const shift = shiftTime(t);
      const worker = await ticker(t);
      for (const name of ['soon', 'stays']) await after(worker, SOON_MS, name, { options: { name } });
      await after(worker, HOUR_MS, 'much later', { options: { name: 'later' } });
      for (const name of ['soon', 'later', 'nothing']) assert.equal(await cancel(worker, name), null);
      shift(2 * HOUR_MS);
      assert.deepEqual(await sentUntilNow(worker), ['stays']);
    });

    test('is refused at once if it is none', async (t) => {
      const worker = await ticker(t);
      const code = { code: 'invalid_request' };
      for (const [given, options] of [
        [9],
        ['0 0 31 2 *'],
        ['* * * * *', { timeZone: 'Nowhere' }],
        [100, { name: '' }],
        [100, { name: 'a b' }],
        [100, { name: 7 }],
      ] as const)
        assert.deepEqual(await every(worker, given, 'never', options && { options }), code);
      for (const ms of [-1, Number.MAX_SAFE_INTEGER, 'x']) assert.deepEqual(await after(worker, ms, 'never'), code);
      assert.deepEqual(await cancel(worker, ''), code);
      assert.deepEqual(await sentUntilNow(worker), []);
    });

    test('is forgotten when its worker stops', async (t) => {
      const worker = await ticker(t);
      await every(worker, 10, 'tick');
      await sentOnce(worker, 2);
      await worker.stop();
      const { length } = await sent(worker);
      await worker.restore();
      assert.equal((await sentUntilNow(worker)).length, length);
    });
  });
}

describe('a timer with a name, of a durable worker', () => {
  test('is neither set nor cancelled when the handler fails', async (t) => {
    const shift = shiftTime(t);
    const worker = await (await new DurableRuntime(t).open()).create({ kind: 'ticker' });
    await after(worker, SOON_MS, 'stays', { options: { name: 'x' } });
    assert.equal(await codeOf(cancel(worker, 'x', { then: 'throw' })), 'actor_error');
    assert.equal(await codeOf(every(worker, 10, 'tick', { then: 'throw' })), 'actor_error');
    shift(HOUR_MS);
    assert.deepEqual(await sentUntilNow(worker), ['stays']);
  });

  test('that was due several times while the runtime was away fires once, and goes on', async (t) => {
    const shift = shiftTime(t);
    const durable = new DurableRuntime(t);
    const worker = await (await durable.open()).create({ kind: 'ticker', workerId: 'w' });
    await every(worker, HOUR_MS, 'hour', { options: { name: 'hours' } });
    await every(worker, '0 * * * *', 'cron');
    await durable.kill();
    shift(5.5 * HOUR_MS);
    const again = (await durable.open()).worker('w');
    assert.deepEqual((await sentOnce(again, 2)).sort(), ['cron', 'hour']);
    assert.equal((await sentUntilNow(again)).length, 2);
    // Their next times are in the store: nothing is due until then, and they are due again.
    await durable.kill();
    const third = (await durable.open()).worker('w');
    assert.equal((await sentUntilNow(third)).length, 2);
    await durable.kill();
    shift(HOUR_MS);
    const fourth = (await durable.open()).worker('w');
    assert.deepEqual((await sentOnce(fourth, 4)).sort(), ['cron', 'cron', 'hour', 'hour']);
    await cancel(fourth, 'hours');
    await durable.kill();
    shift(HOUR_MS);
    const fifth = (await durable.open()).worker('w');
    assert.deepEqual((await sentUntilNow(fifth)).slice(4), ['cron']);
  });
});
