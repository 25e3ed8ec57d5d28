import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import { HostPool } from '../../lib/host/pool.ts';
import { uniformServices } from '../../lib/host/services.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { Wheel } from '../../lib/protocol/wheel.ts';
import { hostContract } from '../contract/host.ts';

hostContract('a thread of the pool', {
  makeFactory: (services) =>
    new HostPool({ maxHosts: 1, inputIdPrefix: 'i-', limits: resolveLimits(), services, wheel: new Wheel() }),
  canKillLoops: true,
});

test('a pool counts threads until they have ended: when as many again as its hosts do not end, it has none left', async (t) => {
  const pool = new HostPool({
    maxHosts: 1,
    inputIdPrefix: 'i-',
    limits: resolveLimits(),
    services: { ...uniformServices(() => assert.fail('no actor asks')), log: () => undefined },
    wheel: new Wheel(),
  });
  t.after(() => pool.close());
  const launch = (hostId: string) =>
    pool.launch({ hostId, isolation: 'shared' }, { reply: () => undefined, emitted: () => undefined });
  const [first, second] = [launch('one'), launch('two')];
  await Promise.all([first.ready, second.ready]);
  first.kill(new Error('enough'));
  first.cutOff();
  await first.exited;
  // Cut off, and not ended.
  const refused = launch('three');
  const { error } = await refused.exited;
  assert.equal((error as GreenroomError).code, 'runtime_unavailable');
  await assert.rejects(refused.ready);
  await first.ended;
  const fourth = launch('four');
  await fourth.ready;
  await Promise.all([second.close(), fourth.close()]);
});
