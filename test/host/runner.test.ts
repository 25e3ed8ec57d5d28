// The runner of a host by itself: what comes in by the control lane, at the moments at which it is read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Runner } from '../../lib/host/runner.ts';
import { eachReply, Outbox, pushInput } from '../../lib/protocol/frames.ts';
import type { Batch } from '../../lib/protocol/frames.ts';
import { eventually, openGate } from '../support/start-runtime.ts';

const GATE = new URL('../fixtures/actors/gate.js', import.meta.url).href;
const SHARED_NUMBERS = 64;

function batchOf(seq: number, input: unknown): Batch {
  const outbox = new Outbox();
  const payload = JSON.stringify(input);
  pushInput(outbox, seq, 0, { seq, attempt: 1, payload, bytes: payload.length });
  return outbox.take();
}

test('an input that is read with the control lane, just before another starts, waits until that one has ended', async () => {
  const replies: number[] = [];
  let emitted = 0;
  // A cancel that has overtaken its input makes the host read what has come so far.
  let arriving: Batch | null = batchOf(2, {});
  const runner: Runner = new Runner({
    context: {
      inputIdPrefix: '',
      maxMessageBytes: 1_024,
      services: {} as never,
      isBlaming: false,
      readControl: () => {
        const batch = arriving;
        arriving = null;
        if (batch !== null) runner.accept(batch);
      },
      log: () => undefined,
      track: (call) => call(),
    },
    shared: new Int32Array(new SharedArrayBuffer(4 * SHARED_NUMBERS)),
    originMs: Date.now(),
    readTaken: () => undefined,
    send: (batch) =>
      eachReply(batch, {
        reply: (slot) => void replies.push(slot),
        emitted: () => void emitted++,
        dropped: () => undefined,
        crashed: () => undefined,
      }),
  });
  const spec = { slot: 0, workerId: 'w', module: GATE, config: '{}', state: null, stateVersion: 0 };
  assert.deepEqual(await runner.start(spec), { state: null, stateVersion: 0 });

  runner.accept(batchOf(1, { wait: 'runner-test' }));
  await eventually(() => emitted === 1);
  assert.deepEqual(replies, []);
  openGate('runner-test');
  await eventually(() => replies.length === 2);
  assert.deepEqual(replies, [1, 2]);
});
