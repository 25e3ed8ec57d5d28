// Hosts without threads: the same wire, the same runner, on the main thread. For tests and for stepping through an actor
// with a debugger. It cannot be killed like a thread: `kill` cuts the wire, and what was running goes on unheard.

import { threadId } from 'node:worker_threads';
import type { Limits } from '../limits.ts';
import type { Host, HostEvents, HostFactory, HostLaunch } from './host.ts';
import { Link } from './link.ts';
import type { Carrier } from './carrier.ts';
import { portsOf } from './boot.ts';
import type { HostBoot } from './boot.ts';
import { serveHost } from './serve.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { RuntimeServices } from './services.ts';

export interface InlineHostsOptions {
  readonly inputIdPrefix: string;
  readonly limits: Limits;
  readonly services: RuntimeServices;
  readonly wheel: Wheel;
}

export class InlineHosts implements HostFactory {
  readonly #options: InlineHostsOptions;

  constructor(options: InlineHostsOptions) {
    this.#options = options;
  }

  /** Whatever isolation is asked for: there is only the main thread. */
  launch({ hostId }: HostLaunch, events: HostEvents): Host {
    return new Link({ ...this.#options, hostId, events, carry });
  }

  async close(): Promise<void> {
    // Each host has closed its own ports; nothing else was taken.
  }
}

function carry(boot: HostBoot): Carrier {
  let kill: () => void = () => undefined;
  const killed = new Promise<never>((_resolve, reject) => {
    kill = () => {
      for (const port of portsOf(boot)) port.close();
      reject(new Error('the inline host was cut off'));
    };
  });
  return {
    lifetime: Promise.race([serveHost(boot, threadId, null), killed]),
    kill,
    utilization: () => performance.eventLoopUtilization().utilization,
    ownsMemory: false,
  };
}
