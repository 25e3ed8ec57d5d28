import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { place } from '../../lib/supervisor/placement.ts';
import { seeded } from '../support/seeded.ts';

/** Hosts that can run ten workers each and run as many as said. */
const hosts = (...workers: number[]) => workers.map((count) => ({ workerCount: count, maxWorkers: 10 }));

test('a worker goes to the host with the fewest workers', () => {
  assert.equal(place(hosts(3, 1, 2)), 1);
});

test('a worker goes to the earlier host when two are even', () => {
  assert.equal(place(hosts(3, 2, 2, 2)), 1);
});

test('a full host gets no worker, and one that is not quite full does', () => {
  assert.equal(place(hosts(10, 9)), 1);
  assert.equal(place([{ workerCount: 1, maxWorkers: 1 }, ...hosts(9)]), 1);
});

test('a worker finds no place when all hosts are full or there is none', () => {
  assert.deepEqual([place(hosts(10, 10)), place([])], [-1, -1]);
});

test('workers that are placed one by one fill unequal hosts evenly and to the last place', (t) => {
  const property = fc.property(fc.array(fc.nat({ max: 8 }), { maxLength: 6 }), (capacities) => {
    const loads = capacities.map((maxWorkers) => ({ workerCount: 0, maxWorkers }));
    for (let at = place(loads); at !== -1; at = place(loads)) {
      const host = loads[at];
      assert.ok(host !== undefined && host.workerCount < host.maxWorkers);
      host.workerCount++;
      const open = loads
        .filter(({ workerCount, maxWorkers }) => workerCount < maxWorkers)
        .map(({ workerCount }) => workerCount);
      assert.ok(open.length === 0 || Math.max(...open) - Math.min(...open) <= 1, `uneven: ${JSON.stringify(loads)}`);
    }
    assert.deepEqual(
      loads.map(({ workerCount }) => workerCount),
      capacities,
    );
  });
  fc.assert(property, seeded(t, 300));
});
