// The state tables as data: what each command does in each status of a worker, and which event leads from which status to
// which. The supervisor looks here and nowhere else; the tests run the same tables against the real thing.

import { GreenroomError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { WorkerStatus } from '../protocol/views.ts';

type Row<Effect> = Readonly<Record<WorkerStatus, Effect | ErrorCode>>;

/** An effect, or the code with which the command is refused. */
export const COMMANDS = {
  /** `accept`: goes into the mailbox if there is room; runs when the worker can. */
  input: {
    starting: 'accept',
    idle: 'accept',
    running: 'accept',
    stopping: 'worker_stopping',
    stopped: 'worker_stopped',
    restarting: 'accept',
    failed: 'worker_failed',
    hibernated: 'accept',
  },
  /** Cancel without an input id; with one it means the same in every status (see Supervisor.cancel). */
  cancel: {
    starting: 'none',
    idle: 'none',
    running: 'abort',
    stopping: 'abort',
    stopped: 'none',
    restarting: 'none',
    failed: 'none',
    hibernated: 'none',
  },
  /** `join`: the acknowledgement of the first stop, whether it is still going on or over. */
  stop: {
    starting: 'stop',
    idle: 'stop',
    running: 'stop',
    stopping: 'join',
    stopped: 'join',
    restarting: 'stop',
    failed: 'stop',
    hibernated: 'stop',
  },
  restore: {
    starting: 'worker_active',
    idle: 'worker_active',
    running: 'worker_active',
    stopping: 'worker_stopping',
    stopped: 'start',
    restarting: 'worker_active',
    failed: 'start',
    hibernated: 'start',
  },
  /** With `force`, what is refused as `worker_active` is stopped first. */
  delete: {
    starting: 'worker_active',
    idle: 'worker_active',
    running: 'worker_active',
    stopping: 'worker_active',
    stopped: 'delete',
    restarting: 'worker_active',
    failed: 'delete',
    hibernated: 'delete',
  },
} as const satisfies {
  input: Row<'accept'>;
  cancel: Row<'none' | 'abort'>;
  stop: Row<'stop' | 'join'>;
  restore: Row<'start'>;
  delete: Row<'delete'>;
};

/** Throws the code that the table gives, unless it gives the effect. */
export function requireEffect<Effect extends string>(cell: Effect | ErrorCode, effect: Effect): void {
  if (cell !== effect) throw GreenroomError.of(cell as ErrorCode);
}

/** What happens to a worker, and where that leads. An event that is missing for a status cannot occur in it. */
export const TRANSITIONS = {
  /** It has an input to run, and no host yet. */
  woken: { hibernated: 'starting' },
  /** It was idle for long, and its host has put it away. */
  rested: { idle: 'hibernated' },
  /** Its host is being emptied, and has put it away between two inputs: it starts on another one. */
  moved: { idle: 'starting', running: 'starting' },
  /** Its host has loaded it. */
  started: { starting: 'idle', restarting: 'idle' },
  /** An input was handed to its host. */
  engaged: { idle: 'running', running: 'running', stopping: 'stopping' },
  /** The last input has ended. */
  disengaged: { running: 'idle', idle: 'idle', stopping: 'stopping' },
  /** Its host died, or could not start it, and it may try again. */
  died: { starting: 'restarting', idle: 'restarting', running: 'restarting', restarting: 'restarting' },
  /** Its host died once too often. */
  gaveUp: { starting: 'failed', idle: 'failed', running: 'failed', restarting: 'failed' },
  /** It has ended itself as it should, and its actor does not want it back. */
  exited: { starting: 'stopped', idle: 'stopped', running: 'stopped', restarting: 'stopped' },
  stopRequested: {
    starting: 'stopping',
    idle: 'stopping',
    running: 'stopping',
    restarting: 'stopping',
    failed: 'stopping',
    hibernated: 'stopping',
  },
  stopFinished: { stopping: 'stopped' },
  restored: { stopped: 'starting', failed: 'starting', hibernated: 'starting' },
} as const satisfies Record<string, Partial<Record<WorkerStatus, WorkerStatus>>>;

export type WorkerEvent = keyof typeof TRANSITIONS;

/** The status after an event. Throws for one that cannot occur: that would be a defect of the supervisor. */
export function nextStatus(status: WorkerStatus, event: WorkerEvent): WorkerStatus {
  const next = (TRANSITIONS[event] as Partial<Record<WorkerStatus, WorkerStatus>>)[status];
  if (next === undefined) throw new Error(`event ${event} in status ${status}`);
  return next;
}
