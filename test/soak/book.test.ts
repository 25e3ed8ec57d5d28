// What the account of a soak has to notice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { Book } from './book.ts';
import type { Worked } from './work.ts';

const answer = (no: number, wrong: Partial<Worked['state']> = {}): Worked => ({
  no,
  pid: 1,
  state: { last: no, disordered: 0, armed: 2, ticked: 2, beats: 0, ...wrong },
});

/** A worker whose inputs have the outcomes that are listed, one per look; null is none, and a text that is no outcome an error's code. */
function workerOf(...looks: (string | null)[]): WorkerHandle {
  const input = () => {
    const outcome = looks.length > 1 ? looks.shift() : looks[0];
    if (outcome === 'input_not_found' || outcome === 'worker_not_found') throw GreenroomError.of(outcome);
    return { outcome: outcome ?? undefined };
  };
  return { input } as unknown as WorkerHandle;
}

function bookWith(...looks: (string | null)[]): Book {
  const book = new Book();
  book.told(workerOf(...looks), { workerId: 'w', inputId: 'i-1', status: 'idle', position: 0, durability: 'volatile' });
  for (let look = 0; look < 3; look++) book.sweep();
  book.stop();
  return book;
}

test('an input with one outcome is in order, and one without any is waited for', () => {
  const [ended, open] = [bookWith('completed'), bookWith(null)];
  assert.deepEqual([ended.waiting, ended.violations, ended.outcomes], [0, 0, { completed: 1 }]);
  assert.deepEqual([open.waiting, open.violations, open.outcomes], [1, 0, {}]);
});

test('an outcome that changes, and an accepted input that nobody knows, are violations', () => {
  assert.equal(bookWith('completed', 'failed').violations, 1);
  assert.equal(bookWith('input_not_found').violations, 1);
  assert.equal(bookWith('worker_not_found').violations, 0);
});

test('answers out of order, to another input, or with a timer too many are violations', () => {
  const book = new Book();
  book.answered('good', 1, answer(1));
  assert.equal(book.violations, 0);
  book.answered('other', 1, answer(2));
  book.answered('disordered', 1, answer(1, { disordered: 1 }));
  book.answered('timers', 1, answer(1, { ticked: 3 }));
  book.answered('timers', 2, answer(2, { ticked: 3 }));
  book.answered('extra', 1, answer(1, { ticked: 3 }), 1);
  book.stop();
  assert.deepEqual(book.examples, [
    'other: 1 was answered as 2',
    'disordered: 1 inputs out of order',
    'timers: 2 timers fired 3 times',
  ]);
});

test('an error that nobody expects is a violation, and one that was to be expected is counted', async () => {
  const book = new Book();
  await book.settle('ask', 1_000, Promise.reject(GreenroomError.of('host_lost')));
  assert.equal(book.violations, 0);
  await book.settle('ask', 1_000, Promise.reject(GreenroomError.of('internal')));
  await book.settle('ask', 1_000, Promise.reject(new Error('no code')));
  book.stop();
  assert.equal(book.violations, 2);
  assert.deepEqual(book.counts, { 'ask: host_lost': 1, 'ask: internal': 1, 'ask: no code': 1 });
});

test('a promise that does not settle in time is a violation, stays open, and keeps nobody', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const book = new Book();
  const waited = book.settle('ask', -60_000, new Promise<never>(() => undefined));
  t.mock.timers.tick(1_000);
  assert.equal(await waited, undefined);
  book.stop();
  assert.deepEqual([book.open, book.examples], [1, ['ask has not settled in time']]);
});
