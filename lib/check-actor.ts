// Looks at one actor module as a runtime would, without one.

import { GreenroomError } from './errors.ts';
import type { HostEvents } from './host/host.ts';
import { HostPool } from './host/pool.ts';
import { uniformServices } from './host/services.ts';
import type { RuntimeServices } from './host/services.ts';
import { resolveLimits } from './limits.ts';
import { Wheel } from './protocol/wheel.ts';

/** Loads an actor module in a host of its own and says what it is. Rejects with `invalid_actor`, whatever the module does. */
export async function checkActorModule(module: URL): Promise<{ kind: string; description: string | null }> {
  const limits = resolveLimits();
  const pool = new HostPool({ maxHosts: 1, inputIdPrefix: '', limits, services: NO_SERVICES, wheel: new Wheel() });
  const host = pool.launch({ hostId: 'check', isolation: 'shared' }, NO_EVENTS);
  try {
    await host.ready;
    return await host.inspect(module.href);
  } catch (thrown) {
    const { code } = thrown as GreenroomError;
    if (code === 'host_lost')
      throw GreenroomError.of('invalid_actor', {
        message: 'it makes the process exit when it is loaded',
        cause: thrown,
      });
    if (code === 'timeout')
      throw GreenroomError.of('invalid_actor', { message: `it is not loaded within ${limits.startTimeoutMs} ms` });
    throw thrown;
  } finally {
    host.kill(new Error('checked'));
    await host.exited;
    await pool.close();
  }
}

const refuse = (): never => {
  throw GreenroomError.of('runtime_unavailable', { message: 'A module that is being checked has no runtime.' });
};

const NO_SERVICES: RuntimeServices = uniformServices(refuse);

const NO_EVENTS: HostEvents = {
  reply: () => undefined,
  emitted: () => undefined,
  crashed: () => undefined,
  dropped: () => undefined,
  logged: () => undefined,
};
