// What every command does in every status, as the contract has it. Written down here a second time on purpose: the
// supervisor's own table is what this one checks.

import type { WorkerStatus } from '../../lib/protocol/views.ts';

/** The answer to the command, where the worker comes to rest once nothing is held any more, and how its inputs ended. */
export interface Result {
  answer: string;
  status: string;
  running?: string;
  waiting?: string;
  /** The input that is the command. */
  sent?: string;
}
type Cell = Pick<Result, 'answer'> & Partial<Result>;

/** What happens if the command changes nothing. */
export const UNDISTURBED: Record<WorkerStatus, Partial<Result>> = {
  starting: { status: 'idle', waiting: 'completed' },
  idle: { status: 'idle' },
  running: { status: 'idle', running: 'completed', waiting: 'completed' },
  stopping: { status: 'stopped', running: 'completed', waiting: 'completed' },
  stopped: { status: 'stopped' },
  restarting: { status: 'idle', waiting: 'completed' },
  failed: { status: 'failed' },
  hibernated: { status: 'hibernated' },
};

const says = (answer: string): Cell => ({ answer });
const accepted: Cell = { answer: 'accepted', sent: 'completed' };
const wakes: Cell = { ...accepted, status: 'idle' };
const none = says('none');
const aborts: Cell = { answer: 'aborting', running: 'cancelled' };
const removes: Cell = { answer: 'ended before the running one', waiting: 'cancelled' };
const ended = says('ended, completed');
const notFound = says('input_not_found');
const active = says('worker_active');
const joins: Cell = { answer: 'the first acknowledgement', status: 'stopped' };
const stops: Cell = { answer: 'stopped', status: 'stopped' };
const restores: Cell = { answer: 'idle', status: 'idle' };
const deletes: Cell = { answer: 'deleted', status: 'gone' };
const hitWaiting = { waiting: 'cancelled' };
const hitBoth = { running: 'cancelled', waiting: 'cancelled' };
/** No such input can be there in that status. */
const absent = null;

// prettier-ignore
export const TABLE: Record<string, (Cell | null)[]> = {
  //                      starting                     idle      running                   stopping  stopped   restarting                   failed   hibernated
  'input':                [accepted,                   accepted, accepted,                 says('worker_stopping'), says('worker_stopped'), accepted, says('worker_failed'), wakes],
  'cancel':               [none,                       none,     aborts,                   aborts,   none,     none,                        none, none],
  'cancel of a waiting input': [removes,               absent,   removes,                  removes,  absent,   removes,                     absent, absent],
  'cancel of a running input': [absent,                absent,   aborts,                   aborts,   absent,   absent,                      absent, absent],
  'cancel of an ended input':  [ended,                 ended,    ended,                    ended,    ended,    ended,                       ended, absent],
  'cancel of an unknown input': [notFound,             notFound, notFound,                 notFound, notFound, notFound,                    notFound, notFound],
  'stop':                 [{ ...stops, ...hitWaiting }, stops,   { ...stops, ...hitBoth }, joins,    joins,    { ...stops, ...hitWaiting }, stops, stops],
  'restore':              [active,                     active,   active,                   says('worker_stopping'), restores, active,       restores, restores],
  'delete':               [active,                     active,   active,                   active,   deletes,  active,                      deletes, deletes],
  'delete with force':    [{ ...deletes, ...hitWaiting }, deletes, { ...deletes, ...hitBoth }, deletes, deletes, { ...deletes, ...hitWaiting }, deletes, deletes],
};
