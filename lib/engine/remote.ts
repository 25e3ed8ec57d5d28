// The contract of a connected remote, as the parts around its session see it.

import type { Policy } from '../access/policy.ts';
import type { FunctionOwner } from '../functions/function.ts';
import type { OutgoingFrame } from '../protocol/remote-frames.ts';

/** One connected process. */
export interface Remote extends FunctionOwner {
  readonly origin: 'remote';
  readonly policy: Policy;
  /** Sends a frame in order. False when the socket is closed or the frame is above the limit: then nothing was sent. */
  send(frame: OutgoingFrame): boolean;
}

/** What it says of itself, cleaned. */
export interface RemoteProfile {
  name: string | null;
  description: string | null;
  runtime: string | null;
  version: string | null;
  os: string | null;
  pid: number | null;
  isolation: string | null;
}
