// One thread and its line: tasks that spin, fill the memory, wait or fail, and what the next one finds.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { GreenroomError } from '../../lib/errors.ts';
import { SingleThread } from '../../lib/openapi/single-thread.ts';
import { codeOf } from '../support/start-runtime.ts';
import type { TestTask } from './thread-tasks.ts';

function start(bounds: { readonly maxTasks?: number; readonly maxSize?: number } = {}) {
  const thread = new SingleThread<TestTask, number>({
    module: new URL('./thread-tasks.js', import.meta.url),
    idleMs: 60_000,
    memoryMib: 64,
    maxTasks: 100,
    maxSize: 100,
    busyMessage: 'Too much.',
    outOfMemory: () => GreenroomError.of('invalid_input', { message: 'It takes too much memory.' }),
    ...bounds,
  });
  const made: string[] = [];
  /** A task, how to end it, and when the thread has begun with it. */
  const run = (act: TestTask['act'], size = 1) => {
    const { port1, port2 } = new MessageChannel();
    const ending = new AbortController();
    const make = () => {
      made.push(act);
      return { task: { act, port: port2 }, transferList: [port2] };
    };
    const result = thread.run(size, make, ending.signal);
    const close = () => port1.close();
    result.then(close, close);
    return {
      result,
      begun: once(port1, 'message'),
      end: (code: 'cancelled' | 'timeout') => ending.abort(GreenroomError.of(code)),
    };
  };
  return { run, made };
}

test('a task that spins is ended by its signal with its reason, and those behind it are answered by another thread', async () => {
  const { run } = start();
  const before = await run('answer').result;
  assert.equal(await run('answer').result, before);
  const spinning = run('spin');
  await spinning.begun;
  const next = run('answer');
  spinning.end('timeout');
  assert.equal(await codeOf(spinning.result), 'timeout');
  assert.notEqual(await next.result, before);
});

test('a task that waits is ended without being made, and leaves its place', async () => {
  const { run, made } = start({ maxTasks: 2 });
  const spinning = run('spin');
  await spinning.begun;
  const waiting = run('answer');
  assert.equal(await codeOf(run('answer').result), 'worker_busy');
  waiting.end('cancelled');
  assert.equal(await codeOf(waiting.result), 'cancelled');
  const next = run('answer');
  assert.deepEqual(made, ['spin']);
  spinning.end('cancelled');
  assert.equal(await codeOf(spinning.result), 'cancelled');
  assert.equal(typeof (await next.result), 'number');
  assert.deepEqual(made, ['spin', 'answer']);
});

test('sizes are bounded together, a single one is not', async () => {
  const { run } = start({ maxSize: 10 });
  assert.equal(typeof (await run('answer', 11).result), 'number');
  const spinning = run('spin', 6);
  await spinning.begun;
  const fits = run('answer', 4);
  const refused = run('answer', 1);
  await assert.rejects(refused.result, {
    code: 'worker_busy',
    message: 'Too much.',
    details: { retry_after_ms: 1_000 },
  });
  spinning.end('cancelled');
  assert.equal(await codeOf(spinning.result), 'cancelled');
  assert.equal(typeof (await fits.result), 'number');
});

test('a task that fills the memory costs the thread, and the next one gets another', async () => {
  const { run } = start();
  const [filling, next] = [run('fill'), run('answer')];
  await assert.rejects(filling.result, { code: 'invalid_input', message: 'It takes too much memory.' });
  assert.equal(typeof (await next.result), 'number');
});

test('an error of ours arrives whole, another one as it was thrown, and the thread stays', async () => {
  const { run } = start();
  const thread = await run('answer').result;
  await assert.rejects(run('refuse').result, { code: 'invalid_input', status: 422, details: { a: 1 } });
  await assert.rejects(run('fail').result, { name: 'Error', message: 'nobody expects this' });
  assert.equal(await run('answer').result, thread);
});

test('a task that is ended at once is not made', async () => {
  const { run, made } = start();
  const { result, end } = run('answer');
  end('cancelled');
  assert.equal(await codeOf(result), 'cancelled');
  assert.equal(typeof (await run('answer').result), 'number');
  assert.deepEqual(made, ['answer']);
});
