import { HostPool } from '../../lib/host/pool.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { Wheel } from '../../lib/protocol/wheel.ts';
import { hostContract } from '../contract/host.ts';

hostContract('a thread of the pool', {
  makeFactory: (services) =>
    new HostPool({ maxHosts: 1, inputIdPrefix: 'i-', limits: resolveLimits(), services, wheel: new Wheel() }),
  canKillLoops: true,
});
