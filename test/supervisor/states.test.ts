// The state tables, written out a second time as text: whoever changes one has to change the other, and sees what it means.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isErrorCode } from '../../lib/errors.ts';
import { WORKER_STATUSES } from '../../lib/protocol/views.ts';
import type { WorkerStatus } from '../../lib/protocol/views.ts';
import { COMMANDS, nextStatus, TRANSITIONS } from '../../lib/supervisor/states.ts';
import type { WorkerEvent } from '../../lib/supervisor/states.ts';

const COMMANDS_TEXT = `
            input            cancel  stop  restore          delete
starting    accept           none    stop  worker_active    worker_active
idle        accept           none    stop  worker_active    worker_active
running     accept           abort   stop  worker_active    worker_active
stopping    worker_stopping  abort   join  worker_stopping  worker_active
stopped     worker_stopped   none    join  start            delete
restarting  accept           none    stop  worker_active    worker_active
failed      worker_failed    none    stop  start            delete
hibernated  accept           none    stop  start            delete
`;

const TRANSITIONS_TEXT = `
            woken     started  engaged   disengaged  died        gaveUp  exited   stopRequested  stopFinished  restored  rested       moved
starting    -         idle     -         -           restarting  failed  stopped  stopping       -             -             -        -
idle        -         -        running   idle        restarting  failed  stopped  stopping       -             -             hibernated   starting
running     -         -        running   idle        restarting  failed  stopped  stopping       -             -             -        starting
stopping    -         -        stopping  stopping    -           -       -        -              stopped       -             -        -
stopped     -         -        -         -           -           -       -        -              -             starting      -        -
restarting  -         idle     -         -           restarting  failed  stopped  stopping       -             -             -        -
failed      -         -        -         -           -           -       -        stopping       -             starting      -        -
hibernated  starting  -        -         -           -           -       -        stopping       -             starting      -        -
`;

/** A table as `column → row → cell`, without the cells that are empty. */
function parseTable(text: string): Record<string, Record<string, string>> {
  const [columns = [], ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return Object.fromEntries(
    columns.map((column, at) => [
      column,
      Object.fromEntries(
        rows.flatMap(([row = '', ...cells]) => (cells[at] === '-' ? [] : [[row, cells[at] ?? 'missing']])),
      ),
    ]),
  );
}

const events = Object.keys(TRANSITIONS) as WorkerEvent[];
const targetOf = (event: WorkerEvent, status: WorkerStatus): WorkerStatus | undefined =>
  (TRANSITIONS[event] as Partial<Record<WorkerStatus, WorkerStatus>>)[status];

describe('the table of commands', () => {
  test('says what this text says', () => assert.deepEqual(COMMANDS, parseTable(COMMANDS_TEXT)));

  test('answers every command in every status', () => {
    for (const [command, row] of Object.entries(COMMANDS)) {
      assert.deepEqual(Object.keys(row).sort(), [...WORKER_STATUSES].sort(), command);
    }
  });

  test('refuses with codes of the table of errors only', () => {
    const effects = new Set(['accept', 'none', 'abort', 'stop', 'join', 'start', 'delete']);
    const others = Object.values(COMMANDS).flatMap((row) => Object.values(row).filter((cell) => !effects.has(cell)));
    assert.deepEqual(
      others.filter((code) => !isErrorCode(code)),
      [],
    );
  });
});

describe('the table of transitions', () => {
  test('says what this text says', () => assert.deepEqual(TRANSITIONS, parseTable(TRANSITIONS_TEXT)));

  test('leads from a status to a status', () => {
    const names = Object.values(TRANSITIONS).flatMap((row) => Object.entries(row).flat());
    assert.deepEqual(
      names.filter((name) => !(WORKER_STATUSES as readonly string[]).includes(name)),
      [],
    );
  });

  test('leads to every status from the first one', () => {
    const reached = new Set<WorkerStatus>(['starting']);
    for (const status of reached) {
      for (const event of events) {
        const next = targetOf(event, status);
        if (next !== undefined) reached.add(next);
      }
    }
    assert.deepEqual(
      WORKER_STATUSES.filter((status) => !reached.has(status)),
      [],
    );
  });

  test('leads out of every status', () => {
    for (const status of WORKER_STATUSES) {
      assert.ok(
        events.some((event) => (targetOf(event, status) ?? status) !== status),
        status,
      );
    }
  });

  test('has a way for each command that the other table allows', () => {
    for (const status of WORKER_STATUSES) {
      assert.equal(
        COMMANDS.stop[status] === 'stop',
        targetOf('stopRequested', status) === 'stopping',
        `stop ${status}`,
      );
      assert.equal(
        COMMANDS.restore[status] === 'start',
        targetOf('restored', status) === 'starting',
        `restore ${status}`,
      );
    }
  });
});

describe('nextStatus', () => {
  for (const event of events) {
    for (const status of WORKER_STATUSES) {
      const next = targetOf(event, status);
      if (next === undefined) {
        test(`throws for ${event} in ${status}, which cannot occur`, () =>
          assert.throws(() => nextStatus(status, event), new Error(`event ${event} in status ${status}`)));
      } else {
        test(`leads from ${status} to ${next} on ${event}`, () => assert.equal(nextStatus(status, event), next));
      }
    }
  }
});
