// Batches are read as they were written, also after the structured clone that they travel by.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BATCH_FRAMES, SHORT_PAYLOAD_CHARS, WORKERS_PER_HOST } from '../../lib/limits.ts';
import {
  CANCELLED,
  COMPLETED,
  eachInput,
  eachReply,
  FAILED,
  Outbox,
  pushCrashed,
  pushDropped,
  pushEmitted,
  pushInput,
  pushReply,
  SHARED,
} from '../../lib/protocol/frames.ts';
import type { Batch, ReplyVisitor } from '../../lib/protocol/frames.ts';
import { decode } from '../../lib/protocol/payload.ts';
import type { Payload } from '../../lib/protocol/payload.ts';
import { seeded } from '../support/seeded.ts';

/** Slots of inputs share a number with the code of the reply; this is the largest that leaves room for it. */
const MAX_SLOT = 2 ** 29 - 1;

/** Objects like those that the visitors make. */
const PLAIN = { noNullPrototype: true };

const slot = fc.oneof(fc.nat({ max: 100 }), fc.constant(MAX_SLOT));
const workerSlot = fc.oneof(fc.nat({ max: 100 }), fc.constant(WORKERS_PER_HOST - 1));
const seq = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(Number.MAX_SAFE_INTEGER));
const atMs = fc.oneof(fc.constant(0), fc.constant(8.64e15), fc.nat());
/** Short ones travel joined, long ones and bytes apart. */
const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.constantFrom(-1, 0, 1).map((more) => JSON.stringify('x'.repeat(SHORT_PAYLOAD_CHARS - 2 + more))),
  fc.json().map((text) => new TextEncoder().encode(text)),
);

const input = fc.record({ slot, workerSlot, seq, attempt: fc.integer({ min: 1, max: 9 }), payload }, PLAIN);

const reply = fc.record(
  {
    type: fc.constant('reply' as const),
    slot,
    code: fc.constantFrom(COMPLETED, FAILED, CANCELLED),
    startedAtMs: atMs,
    endedAtMs: atMs,
    body: payload,
    state: fc.option(payload, { nil: null }),
  },
  PLAIN,
);
const emitted = fc.record({ type: fc.constant('emitted' as const), workerSlot, seq, atMs, data: payload }, PLAIN);

type Input = typeof input extends fc.Arbitrary<infer T> ? T : never;
const dropped = fc.record({ type: fc.constant('dropped' as const), slot }, PLAIN);
const crashed = fc.record({ type: fc.constant('crashed' as const), workerSlot, crash: fc.json() }, PLAIN);

function readInputs(batch: Batch): Input[] {
  const read: Input[] = [];
  eachInput(batch, (at, worker, number, attempt, value, apart) => {
    const body = apart ?? JSON.stringify(value);
    read.push({ slot: at, workerSlot: worker, seq: number, attempt, payload: body });
  });
  return read;
}

function readReplies(batch: Batch): unknown[] {
  const read: unknown[] = [];
  eachReply(batch, {
    reply: (at, code, startedAtMs, endedAtMs, { payload: body }, state) =>
      read.push({ type: 'reply', slot: at, code, startedAtMs, endedAtMs, body, state }),
    emitted: (worker, number, ms, data) =>
      read.push({ type: 'emitted', workerSlot: worker, seq: number, atMs: ms, data }),
    dropped: (at) => read.push({ type: 'dropped', slot: at }),
    crashed: (worker, { payload: crash }) => read.push({ type: 'crashed', workerSlot: worker, crash }),
  });
  return read;
}

describe('a batch', () => {
  test('of inputs is read as it was written', (t) => {
    const property = fc.property(fc.array(input), (inputs) => {
      const outbox = new Outbox();
      for (const { slot: at, workerSlot: worker, payload: body, ...ticket } of inputs) {
        pushInput(outbox, at, worker, { ...ticket, payload: body, bytes: body.length });
      }
      assert.deepEqual(readInputs(structuredClone(outbox.take())), inputs);
    });
    fc.assert(property, seeded(t, 500));
  });

  test('of all that a host tells is read as it was written, in one order', (t) => {
    const property = fc.property(fc.array(fc.oneof(reply, emitted, dropped, crashed)), (frames) => {
      const outbox = new Outbox();
      for (const frame of frames) {
        if (frame.type === 'emitted') pushEmitted(outbox, frame.workerSlot, frame.seq, frame.atMs, frame.data);
        else if (frame.type === 'dropped') pushDropped(outbox, frame.slot);
        else if (frame.type === 'crashed') pushCrashed(outbox, frame.workerSlot, frame.crash);
        else pushReply(outbox, frame.slot, frame.code, frame.startedAtMs, frame.endedAtMs, frame.body, frame.state);
      }
      assert.deepEqual(readReplies(structuredClone(outbox.take())), frames);
    });
    fc.assert(property, seeded(t, 500));
  });

  test('of replies gives the value of each body that is asked for', (t) => {
    const property = fc.property(fc.array(reply), (frames) => {
      const outbox = new Outbox();
      for (const { slot: at, code, startedAtMs, endedAtMs, body, state } of frames) {
        pushReply(outbox, at, code, startedAtMs, endedAtMs, body, state);
      }
      const values: unknown[] = [];
      const visitor: ReplyVisitor = {
        // Every second one, so that a value is found by its place and not by counting.
        reply: (_at, code, _startedAtMs, _endedAtMs, body) => values.push(code === COMPLETED ? body.value() : null),
        emitted: () => assert.fail(),
        dropped: () => assert.fail(),
        crashed: () => assert.fail(),
      };
      eachReply(structuredClone(outbox.take()), visitor);
      assert.deepEqual(
        values,
        frames.map(({ code, body }) => (code === COMPLETED ? decode(body) : null)),
      );
    });
    fc.assert(property, seeded(t, 500));
  });

  test('that is empty holds nothing', () => {
    const empty = new Outbox().take();
    assert.deepEqual([readInputs(empty), readReplies(empty)], [[], []]);
  });

  test('takes more frames than a usual one, and the next one begins anew', () => {
    const outbox = new Outbox();
    const seqs = Array.from({ length: 3 * BATCH_FRAMES }, (_, n) => n + 1);
    for (const number of seqs) pushInput(outbox, 0, 0, { seq: number, attempt: 1, payload: '0', bytes: 1 });
    assert.equal(outbox.frames, seqs.length);
    const read = readInputs(structuredClone(outbox.take()));
    assert.deepEqual(
      read.map((one) => one.seq),
      seqs,
    );
    pushEmitted(outbox, 1, 2, 3, '"c"');
    const next = readReplies(structuredClone(outbox.take()));
    assert.deepEqual(next, [{ type: 'emitted', workerSlot: 1, seq: 2, atMs: 3, data: '"c"' }]);
  });
});

test('the shared table has a cell per worker behind its own ones, each of which has its place', () => {
  const { started, ...own } = SHARED;
  assert.deepEqual(
    Object.values<number>(own).sort((a, b) => a - b),
    [...Array(started).keys()],
  );
});
