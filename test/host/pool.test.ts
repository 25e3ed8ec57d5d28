import { HostPool } from '../../lib/host/pool.ts';
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
