// What the supervisor hands to a new host: five ports, the shared memory and the bounds that hold there.

import type { MessagePort } from 'node:worker_threads';
import type { Port } from './ports.ts';

export interface HostBoot {
  readonly hostId: string;
  /** An input's id is this prefix and its seq. */
  readonly inputIdPrefix: string;
  readonly maxMessageBytes: number;
  /** Origin of the runtime's clock, see clock.ts; a host's own would be another. */
  readonly originMs: number;
  /** See SHARED in frames.ts; memory of both ends. */
  readonly shared: Int32Array;
  /** Inputs in, replies out. */
  readonly data: Port;
  /** Cancels; read whenever the doorbell in the shared memory has rung. */
  readonly control: Port;
  /** Calls of the supervisor. */
  readonly calls: Port;
  /** Calls of the actors to the runtime. */
  readonly services: Port;
  /** Lines for the log out, see LogLine; back comes now and then how many were taken. */
  readonly log: Port;
}

/** The ports of a boot, for its transfer list: whoever transfers them has made them from message channels. */
export function portsOf(boot: HostBoot): MessagePort[] {
  return [boot.data, boot.control, boot.calls, boot.services, boot.log] as MessagePort[];
}
