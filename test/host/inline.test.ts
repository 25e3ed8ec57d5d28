import { InlineHosts } from '../../lib/host/inline.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { Wheel } from '../../lib/protocol/wheel.ts';
import { hostContract } from '../contract/host.ts';

hostContract('the main thread', {
  makeFactory: (services) =>
    new InlineHosts({ inputIdPrefix: 'i-', limits: resolveLimits(), services, wheel: new Wheel() }),
  isolation: 'shared',
  canKillLoops: false,
  sharesMemory: true,
});
