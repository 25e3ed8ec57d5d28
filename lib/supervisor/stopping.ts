// A stop that was asked for: the first one counts, later ones get its acknowledgement.

import { decode } from '../protocol/payload.ts';
import type { StopAck } from '../protocol/views.ts';
import type { WheelTimer } from '../protocol/wheel.ts';
import type { Worker } from './worker.ts';

export interface StopRequest {
  /** Let what waits run first; otherwise it is cancelled and the running input is told to end. Default false. */
  readonly drain?: boolean | undefined;
  /** At most MAX_REASON_CHARS; ends up in the transcript. */
  readonly reason?: string | undefined;
  /** With drain: how long before what is left is cancelled. Default `limits.stopTimeoutMs`. */
  readonly deadlineMs?: number | undefined;
  /** It is stopped to be deleted, which is what those that watch it are told. Default false. */
  readonly isDeletion?: boolean | undefined;
  /** It is stopped because its parent stops or has failed, and is restored with it. Default false. */
  readonly isWithParent?: boolean | undefined;
}

export interface Stopping {
  readonly drain: boolean;
  readonly reason: string | null;
  readonly isDeletion: boolean;
  readonly isWithParent: boolean;
  /** Its children are being stopped: until they are, it may run what it has, and does not leave its host. */
  isHeld: boolean;
  /** Workers below it that were stopped with it. */
  children: number;
  /** Inputs that ended otherwise than cancelled, and that were cancelled, since then. */
  drained: number;
  cancelled: number;
  refused: number;
  readonly ack: Promise<StopAck>;
  readonly resolve: (ack: StopAck) => void;
  timer: WheelTimer | null;
  isUnloading: boolean;
}

export function newStopping(request: StopRequest, isHeld: boolean): Stopping {
  let resolve: Stopping['resolve'] = () => undefined;
  const ack = new Promise<StopAck>((settle) => (resolve = settle));
  return {
    drain: request.drain ?? false,
    reason: request.reason ?? null,
    isDeletion: request.isDeletion ?? false,
    isWithParent: request.isWithParent ?? false,
    isHeld,
    children: 0,
    drained: 0,
    cancelled: 0,
    refused: 0,
    ack,
    resolve,
    timer: null,
    isUnloading: false,
  };
}

/** Data of the entry of a stop. */
export function stoppedEntry({ drained, cancelled, refused, children, isWithParent, reason }: Stopping): string {
  const below = { ...(children > 0 && { children }), ...(isWithParent && { with_parent: true }) };
  return JSON.stringify({ drained, cancelled, refused, ...below, reason });
}

/** Whether it was stopped because its parent was, or had failed: the entry of that is the last one that it has. */
export function wasStoppedWithParent({ status, stopping, store }: Worker): boolean {
  if (status !== 'stopped') return false;
  if (stopping !== null) return stopping.isWithParent;
  const last = store.read(store.lastSequence - 1, 1).items[0];
  return last?.type === 'stopped' && (decode(last.data) as { with_parent?: boolean }).with_parent === true;
}

/** The acknowledgement of a stop that an earlier run has seen: it is the last entry that the worker has. */
export function ackOf({ workerId, status, store }: Worker): StopAck {
  const last = store.read(store.lastSequence - 1, 1).items[0];
  const stopped = (last?.type === 'stopped' ? decode(last.data) : {}) as Partial<StopAck> & { reason?: string | null };
  const { drained = 0, cancelled = 0, refused = 0, children = 0, reason = null } = stopped;
  return {
    workerId,
    status,
    drained,
    cancelled,
    refused,
    ...(children > 0 && { children }),
    ...(reason !== null && { reason }),
  };
}
