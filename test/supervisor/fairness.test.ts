import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREDITS_PER_QUICK_WORKER } from '../../lib/limits.ts';
import { startRuntime } from '../support/start-runtime.ts';

const WAITING = 1_000_000;
const PROBES = 20;

/**
 * Counted in inputs, because a clock would measure the machine. When the neighbour's input is accepted, its host holds at
 * most CREDITS_PER_QUICK_WORKER inputs of the flooded worker whose outcome is not known yet, and that many only
 * because they take less than a slice together; more are sent only behind the neighbour's, on the same wire, and then the two take turns. As many again are allowed for whatever order batches are read in.
 */
const MOST_AHEAD = 2 * CREDITS_PER_QUICK_WORKER;

test('a worker with a million waiting inputs does not keep its neighbour waiting for more than what their host holds', async (t) => {
  const runtime = await startRuntime(t, { limits: { maxTotalBytes: 2 ** 31 } });
  const flooded = await runtime.create({ kind: 'flood' });
  const neighbour = await runtime.create({ kind: 'flood' });
  const ended = (): number => WAITING - flooded.view().mailbox.messages;
  const ahead: number[] = [];
  for (let n = 0; n < WAITING; n++) runtime.supervisor.deliverValue(flooded.workerId, 'count', {});
  for (let probe = 0; probe < PROBES; probe++) {
    const endedBefore = ended();
    ahead.push(((await neighbour.ask('tell')) as number) - endedBefore);
  }
  assert.ok(ended() < WAITING / 2, 'the flood was over before the probes were');
  assert.deepEqual(
    ahead.filter((inputs) => inputs > MOST_AHEAD),
    [],
  );
});
