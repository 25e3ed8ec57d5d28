import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InputRecord } from '../../lib/supervisor/input.ts';
import { ORIGIN_MS } from '../../lib/protocol/clock.ts';
import type { InputListener } from '../../lib/supervisor/input.ts';

/** Decides on the outcome, which is kept at once. */
function endOf(record: InputRecord, ...decision: Parameters<InputRecord['decide']>): void {
  record.decide(...decision);
  record.conclude();
}

/** The owner says of this number that its handler was entered. */
const STARTED = 8;
const ERROR = { code: 'cancelled', message: 'The input was cancelled.', retryable: false };
const owner = {
  workerId: 'w1',
  inputId: (seq: number) => `in-${seq}`,
  startedAt: () => 0,
  hasStarted: (record: InputRecord) => record.seq === STARTED,
};

const recordOf = (seq = 7): InputRecord => new InputRecord(owner, seq, '{"add":1}', 9, null, 1_234, 0, true);

/** What its sender and its worker can see of an input. */
function look(record: InputRecord): Record<string, unknown> {
  const { inputId, workerId, status, outcome, output, error, payload, bytes, attempt, startedAtMs, endedAtMs } = record;
  return { inputId, workerId, status, outcome, output, error, payload, bytes, attempt, startedAtMs, endedAtMs };
}

const WAITING = {
  inputId: 'in-7',
  workerId: 'w1',
  status: 'waiting',
  outcome: null,
  output: null,
  error: null,
  payload: '{"add":1}',
  bytes: 9,
  attempt: 1,
  startedAtMs: 0,
  endedAtMs: 0,
};

describe('an input', () => {
  test('waits, with its payload, at the time of its acceptance', () => {
    const record = recordOf();
    assert.deepEqual(look(record), WAITING);
    assert.deepEqual([record.owner, record.acceptedAtMs, record.key], [owner, ORIGIN_MS + 1_234, null]);
  });

  test('is running once its host has it and has entered the handler', () => {
    const [started, behind] = [recordOf(STARTED), recordOf(STARTED + 1)];
    assert.equal(started.status, 'waiting');
    started.isSent = true;
    behind.isSent = true;
    assert.deepEqual([started.status, behind.status], ['running', 'waiting']);
  });

  test('has its output and its times after it completed, and no longer its payload', () => {
    const record = recordOf();
    endOf(record, 'completed', '42', null, 5, 6);
    const completed = {
      status: 'ended',
      outcome: 'completed',
      output: '42',
      payload: '',
      startedAtMs: ORIGIN_MS + 5,
      endedAtMs: ORIGIN_MS + 6,
    };
    assert.deepEqual(look(record), { ...WAITING, ...completed });
  });

  test('has its error and no start after it was cancelled while it waited', () => {
    const record = recordOf();
    endOf(record, 'cancelled', null, ERROR, 0, 6);
    assert.deepEqual(look(record), {
      ...WAITING,
      status: 'ended',
      outcome: 'cancelled',
      error: ERROR,
      payload: '',
      endedAtMs: ORIGIN_MS + 6,
    });
  });

  test('has one outcome: a second one throws and changes nothing', () => {
    const record = recordOf();
    endOf(record, 'completed', '42', null, 5, 6);
    const before = look(record);
    assert.throws(() => endOf(record, 'failed', null, ERROR, 7, 8), new Error('an input has one outcome'));
    assert.deepEqual(look(record), before);
  });
});

describe('a listener of an input', () => {
  /** An input with listeners that keep what they were told, with the outcome that they saw. */
  function listened(...names: string[]): { record: InputRecord; told: string[]; listeners: InputListener[] } {
    const record = recordOf();
    const told: string[] = [];
    const listeners = names.map((name): InputListener => ({
      ended: ({ outcome }) => told.push(`${name} ${outcome}`),
      overdue: ({ outcome }) => told.push(`${name} overdue ${outcome}`),
    }));
    for (const listener of listeners) record.addListener(listener);
    return { record, told, listeners };
  }

  test('is told once, in the order in which it came, when the outcome is there', () => {
    const { record, told } = listened('a', 'b', 'c');
    assert.deepEqual(told, []);
    endOf(record, 'expired', null, ERROR, 0, 6);
    assert.deepEqual(told, ['a expired', 'b expired', 'c expired']);
  });

  test('is told at once when the outcome is there already', () => {
    const { record, told } = listened();
    endOf(record, 'completed', 'null', null, 5, 6);
    record.addListener({ ended: ({ outcome }) => told.push(`late ${outcome}`) });
    assert.deepEqual(told, ['late completed']);
  });

  for (const [at, name] of ['first', 'second', 'third'].entries()) {
    test(`that was removed is not told, and the others are, if it was the ${name}`, () => {
      const { record, told, listeners } = listened('0', '1', '2');
      record.removeListener(listeners[at] as InputListener);
      record.tellOverdue();
      endOf(record, 'completed', 'null', null, 5, 6);
      const others = ['0', '1', '2'].toSpliced(at, 1);
      assert.deepEqual(told, [
        ...others.map((other) => `${other} overdue null`),
        ...others.map((other) => `${other} completed`),
      ]);
    });
  }

  test('that was never added can be removed', () => {
    const { record, told } = listened('a');
    record.removeListener({ ended: () => assert.fail('it was never added') });
    endOf(record, 'completed', 'null', null, 5, 6);
    assert.deepEqual(told, ['a completed']);
  });

  test('that comes while the others are told is told too', () => {
    const { record, told } = listened('a');
    record.addListener({ ended: () => record.addListener({ ended: ({ outcome }) => told.push(`nested ${outcome}`) }) });
    endOf(record, 'unknown', null, ERROR, 5, 6);
    assert.deepEqual(told, ['a unknown', 'nested unknown']);
  });

  test('is told when the deadline has passed, if it cares, and of the outcome later', () => {
    const { record, told } = listened('a', 'b');
    record.addListener({ ended: ({ outcome }) => told.push(`patient ${outcome}`) });
    record.tellOverdue();
    assert.deepEqual(told, ['a overdue null', 'b overdue null']);
    endOf(record, 'completed', 'null', null, 5, 6);
    assert.deepEqual(told.slice(2), ['a completed', 'b completed', 'patient completed']);
  });

  test('may stop listening when the deadline has passed, and the others are still told', () => {
    const { record, told } = listened();
    const leaving = ['a', 'b', 'c'].map((name): InputListener => {
      const listener: InputListener = {
        ended: () => assert.fail('it has left'),
        overdue: () => {
          told.push(name);
          record.removeListener(listener);
        },
      };
      return listener;
    });
    for (const listener of leaving) record.addListener(listener);
    record.tellOverdue();
    endOf(record, 'completed', 'null', null, 5, 6);
    assert.deepEqual(told, ['a', 'b', 'c']);
  });
});
