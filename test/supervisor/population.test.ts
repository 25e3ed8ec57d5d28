import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WORKER_STATUSES } from '../../lib/protocol/views.ts';
import { Population } from '../../lib/supervisor/population.ts';

test('a population counts who comes, who goes and every change of status', () => {
  for (const from of WORKER_STATUSES) {
    for (const to of WORKER_STATUSES) {
      const population = new Population();
      const none = { ...population.counts };
      population.add(from);
      population.move(from, to);
      assert.deepEqual(population.counts, { ...none, [to]: 1 });
      population.remove(to);
      assert.deepEqual(population.counts, none);
    }
  }
});
