// A test with simulated time and hosts: after a build, `node docs/examples/simulation.js`. A minute and a crash take no time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimulation } from 'greenroom/testing';

const ACTORS = new URL('../../dist/actors/', import.meta.url);

test('a counter outlives its host and an idle minute', async () => {
  const simulation = await createSimulation({ seed: 1, actors: [ACTORS] });
  const { clock, faults, runtime } = simulation;
  const worker = await clock.until(runtime.create({ kind: 'counter', workerId: 'c1' }));
  await clock.until(worker.ask({ add: 2 }));
  faults.kill(worker.view().hostId);
  assert.equal(await clock.until(worker.ask({ add: 3 })), 5);
  await clock.advance(61_000);
  assert.equal(worker.view().status, 'hibernated');
  assert.equal(await clock.until(worker.ask({ add: 4 })), 9);
  await simulation.close();
});
