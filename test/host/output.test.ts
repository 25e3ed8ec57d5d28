// What actors print is in the log, whatever becomes of their thread, and nowhere else.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printedText, PrintRate } from '../../lib/host/output.ts';
import { MAX_ERROR_CHARS } from '../../lib/limits.ts';
import { codeOf, eventually, recordLog, startRuntime } from '../support/start-runtime.ts';

async function start(t: Parameters<typeof startRuntime>[0]) {
  const { log, lines } = recordLog();
  const runtime = await startRuntime(t, { log, limits: { cancelGraceMs: 100 } });
  const worker = await runtime.create({ kind: 'prints', workerId: 'w' });
  const printed = () => lines.filter(({ fields }) => fields['stream'] !== undefined);
  return { runtime, worker, lines, printed };
}

describe('what an actor prints', () => {
  test('is a line of the log with its worker, its host and its stream', async (t) => {
    const { worker, printed } = await start(t);
    await worker.ask({ out: 'to stdout\nin two lines', err: 'to stderr \u0007' });
    const lines = await eventually(() => printed().length === 2 && printed());
    assert.deepEqual(lines, [
      {
        level: 'info',
        message: 'to stdout\nin two lines',
        fields: { host_id: 'host-1', worker_id: 'w', stream: 'stdout' },
      },
      { level: 'error', message: 'to stderr \u0007', fields: { host_id: 'host-1', worker_id: 'w', stream: 'stderr' } },
    ]);
  });

  test('is there after its thread was killed', async (t) => {
    const { worker, printed, lines } = await start(t);
    const TIMES = 100;
    const spinning = codeOf(worker.ask({ out: 'printed', log: 'logged', times: TIMES, then: 'spin' }));
    await eventually(() => printed().length > 0);
    await worker.cancel();
    assert.equal(await spinning, 'cancelled');
    const logged = lines.filter(({ message, fields }) => message === 'logged' && fields['worker_id'] === 'w');
    assert.deepEqual([printed().length, logged.length], [TIMES, TIMES]);
  });

  test('is there after its thread has ended itself', async (t) => {
    const { worker, printed } = await start(t);
    assert.equal(await codeOf(worker.ask({ err: 'before exit', then: 'exit' })), 'host_lost');
    assert.deepEqual(
      printed().map(({ message }) => message),
      ['before exit'],
    );
  });

  test('goes on when an actor has ended stdout, and warnings of Node are among it', async (t) => {
    const { worker, printed } = await start(t);
    await worker.ask({ then: 'end' });
    await worker.ask({ then: 'warn' });
    await worker.ask({ out: 'after the end' });
    const lines = await eventually(() => printed().length === 3 && printed());
    assert.deepEqual(
      lines.map(({ message }) => message),
      ['the end', 'Warning: mind the gap', 'after the end'],
    );
  });

  test('without end is stopped where it is printed, and the next line that gets through says how much was dropped', async (t) => {
    const { worker, printed } = await start(t);
    const TIMES = 5_000;
    await worker.ask({ out: 'again', times: TIMES });
    // The budget grows with time.
    const last = await eventually(async () => {
      await worker.ask({ err: 'afterwards' });
      return printed().find(({ message }) => message === 'afterwards');
    });
    const dropped = printed().reduce((sum, { fields }) => sum + Number(fields['dropped_lines'] ?? 0), 0);
    assert.ok(Number(last.fields['dropped_lines']) > 0);
    const passed = printed().filter(({ message }) => message === 'again').length;
    assert.ok(passed + dropped >= TIMES && passed < TIMES / 2, `${dropped} dropped, ${passed} passed`);
  });

  test('in an endless loop leaves the main thread free, and the loop can be cancelled', async (t) => {
    const { worker, printed } = await start(t);
    const spinning = codeOf(worker.ask({ then: 'spin-printing' }));
    await eventually(() => printed().length > 0);
    await worker.cancel();
    assert.equal(await spinning, 'cancelled');
    assert.ok(printed().length < 5_000);
  });
});

test('lines of ctx.log are dropped and counted only while the main thread does not take them', async (t) => {
  const { worker, lines } = await start(t);
  for (let n = 0; n < 10; n++) await worker.ask({ log: 'fine', times: 200 });
  const fine = await eventually(() => {
    const all = lines.filter(({ message }) => message === 'fine');
    const dropped = lines.reduce((sum, { fields }) => sum + Number(fields['dropped_lines'] ?? 0), 0);
    return all.length + dropped >= 1_900 && all;
  });
  assert.ok(fine.length >= 256);
});

describe('the rate of printed lines', () => {
  test('allows a burst and then so many per second', () => {
    const rate = new PrintRate(0);
    const taken = (atMs: number) => Array.from({ length: 1_000 }, () => rate.take(10, atMs)).filter(Boolean).length;
    assert.deepEqual([taken(0), taken(0), taken(1_000), taken(1_010), taken(60_000)], [400, 0, 200, 2, 400]);
  });

  test('counts what is in them too', () => {
    const rate = new PrintRate(0);
    const taken = (atMs: number) => Array.from({ length: 400 }, () => rate.take(8_192, atMs)).filter(Boolean).length;
    assert.deepEqual([taken(0), taken(1_000)], [128, 32]);
  });
});

test('an entry is the text of one call without the end of its last line, and cut', () => {
  assert.deepEqual(['a\n', 'a\r\n', '\n', 'a\nb', 'a\n\n'].map(printedText), ['a', 'a', '', 'a\nb', 'a\n']);
  assert.equal(printedText('x'.repeat(MAX_ERROR_CHARS + 9)).length, MAX_ERROR_CHARS + 1);
});
