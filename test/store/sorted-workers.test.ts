import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { SortedWorkers } from '../../lib/store/sorted-workers.ts';
import { seeded } from '../support/seeded.ts';

const idsAfter = (workers: SortedWorkers<{ workerId: string }>, after?: string): string[] =>
  Array.from(workers.after(after), ({ workerId }) => workerId);
const sortedOf = (ids: Iterable<string>): string[] => [...ids].sort();

describe('sorted workers', () => {
  const ORDERS = {
    'in their order': (n: number) => String(n).padStart(5, '0'),
    'in the opposite order': (n: number) => String(99_999 - n),
    'in no order': (n: number) => String((n * 7_919) % 10_007),
  };
  for (const [order, idOf] of Object.entries(ORDERS)) {
    test(`are in the order of their ids when thousands come ${order} and go again`, () => {
      const ids = Array.from({ length: 3_000 }, (_, n) => idOf(n));
      const workers = new SortedWorkers<{ workerId: string }>();
      for (const workerId of ids) workers.add({ workerId });
      assert.deepEqual(idsAfter(workers), sortedOf(ids));
      const kept = ids.filter((_, n) => n % 3 === 0);
      for (const workerId of ids) if (!kept.includes(workerId)) workers.delete(workerId);
      assert.deepEqual(idsAfter(workers), sortedOf(kept));
      for (const workerId of kept) workers.delete(workerId);
      assert.deepEqual(idsAfter(workers), []);
      workers.add({ workerId: 'a' });
      assert.deepEqual(idsAfter(workers), ['a']);
    });
  }

  test('do what a sorted list would do', (t) => {
    const id = fc.stringMatching(/^[abAB0]{1,3}$/);
    const step = fc.record({ what: fc.constantFrom('add', 'add', 'delete'), id });
    const property = fc.property(fc.array(step, { maxLength: 100 }), id, (steps, after) => {
      const workers = new SortedWorkers<{ workerId: string }>();
      const model = new Set<string>();
      for (const { what, id: workerId } of steps) {
        if (what === 'delete') {
          workers.delete(workerId);
          model.delete(workerId);
        } else if (!model.has(workerId)) {
          workers.add({ workerId });
          model.add(workerId);
        }
      }
      assert.deepEqual(idsAfter(workers), sortedOf(model));
      assert.deepEqual(
        idsAfter(workers, after),
        sortedOf(model).filter((workerId) => workerId > after),
      );
    });
    fc.assert(property, seeded(t, 500));
  });
});
