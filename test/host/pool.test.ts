import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import type { Host } from '../../lib/host/host.ts';
import { ENDING_THREADS, HostPool } from '../../lib/host/pool.ts';
import { uniformServices } from '../../lib/host/services.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { Wheel } from '../../lib/protocol/wheel.ts';
import { ISOLATIONS } from '../../lib/protocol/views.ts';
import { hostContract } from '../contract/host.ts';

for (const isolation of ISOLATIONS)
  hostContract(`a host of isolation ${isolation}`, {
    makeFactory: (services) =>
      new HostPool({ maxHosts: 1, inputIdPrefix: 'i-', limits: resolveLimits(), services, wheel: new Wheel() }),
    isolation,
    canKillLoops: true,
  });

const nothing = (): undefined => undefined;
const NO_EVENTS = { reply: nothing, emitted: nothing, crashed: nothing, dropped: nothing, logged: nothing };

test('a pool counts threads until they have ended: when all that it has do not end, it launches nothing', async (t) => {
  const pool = new HostPool({
    maxHosts: 1,
    inputIdPrefix: 'i-',
    limits: resolveLimits(),
    services: uniformServices(() => assert.fail('no actor asks')),
    wheel: new Wheel(),
  });
  t.after(() => pool.close());
  const launch = (n: number) => pool.launch({ hostId: `host-${n}`, isolation: 'shared' }, NO_EVENTS);
  const first = launch(1);
  await first.ready;
  const kill = (host: Host) => host.kill(new Error('enough'));
  kill(first);
  first.cutOff();
  await first.exited;
  // Cut off, and not ended: the others take what is left.
  const others = Array.from({ length: 2 + ENDING_THREADS - 1 }, (_, n) => launch(2 + n));
  const refused = launch(0);
  const { error } = await refused.exited;
  assert.equal((error as GreenroomError).code, 'runtime_unavailable');
  await assert.rejects(refused.ready);
  others.forEach(kill);
  await first.ended;
  const last = launch(99);
  await last.ready;
  await last.close();
  await Promise.all(others.map(({ ended }) => ended));
});
