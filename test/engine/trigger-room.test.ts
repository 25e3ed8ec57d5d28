import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Functions } from '../../lib/functions/registry.ts';
import { MAX_TRIGGERS, TRIGGER_BYTES_PER_REMOTE, TRIGGERS_PER_REMOTE } from '../../lib/engine/bounds.ts';
import { TriggerRoom } from '../../lib/engine/trigger-room.ts';
import { Triggers } from '../../lib/engine/triggers.ts';
import { MAX_REGISTRATION_BYTES } from '../../lib/limits.ts';
import { recordLog } from '../support/start-runtime.ts';
import { fakeRemote } from './fake-remote.ts';
import { bindFrame, refused, took, typeFrame, unbindFrame } from './trigger-frames.ts';

function setUp(t: TestContext) {
  const functions = new Functions();
  const { log, lines } = recordLog();
  const triggers = new Triggers({ functions, log, invocationTimeoutMs: 1_000 });
  t.after(() => triggers.close());
  return { triggers, lines };
}

describe('what one session may leave with the runtime', () => {
  test('is so many triggers and types, and no more; what it gives back it may use again', async (t) => {
    const { triggers } = setUp(t);
    const [user, other] = [fakeRemote('user'), fakeRemote('other')];
    for (let n = 0; n < TRIGGERS_PER_REMOTE; n++) await triggers.handle(user, bindFrame(`t${n}`));
    assert.deepEqual(user.take(), []);
    await triggers.handle(user, bindFrame('more'));
    await triggers.handle(user, typeFrame('more'));
    assert.deepEqual(took(user), [
      refused('more', 'trigger_registration_failed'),
      { type: 'error', error: { code: 'trigger_registration_failed' } },
    ]);
    await triggers.handle(user, bindFrame('t0', 'clock', 'a::replaced'));
    await triggers.handle(other, bindFrame('of another session'));
    await triggers.handle(user, unbindFrame('t1'));
    await triggers.handle(user, bindFrame('more'));
    assert.deepEqual([user.take(), other.take()], [[], []]);
  });

  test('is so many bytes, in one registration and in all', async (t) => {
    const { triggers } = setUp(t);
    const user = fakeRemote('user');
    const largest = 'x'.repeat(MAX_REGISTRATION_BYTES - '""null'.length);
    await triggers.handle(user, bindFrame('too large', 'clock', 'a::tick', `${largest}x`));
    assert.deepEqual(took(user), [refused('too large', 'trigger_registration_failed')]);
    const fitting = TRIGGER_BYTES_PER_REMOTE / MAX_REGISTRATION_BYTES;
    for (let n = 0; n < fitting; n++) await triggers.handle(user, bindFrame(`t${n}`, 'clock', 'a::tick', largest));
    assert.deepEqual(user.take(), []);
    await triggers.handle(user, bindFrame('more'));
    assert.deepEqual(took(user), [refused('more', 'trigger_registration_failed')]);
  });

  test('costs few lines in the log, however much of it is refused', async (t) => {
    const { triggers, lines } = setUp(t);
    const user = fakeRemote('user');
    for (let n = 0; n < 100; n++) await triggers.handle(user, bindFrame(`t${n}`, 'http'));
    assert.deepEqual(
      lines.map(({ fields }) => fields['refused']),
      [1, 2, 4, 8, 16, 32, 64],
    );
  });

  test('has ids of a bounded length, without control characters', async (t) => {
    const { triggers } = setUp(t);
    const user = fakeRemote('user');
    for (const id of ['', 'a\nb', 'x'.repeat(257), ' a']) await triggers.handle(user, bindFrame(id));
    await triggers.handle(user, bindFrame('t1', 'a\u0000b'));
    assert.equal(user.take().length, 5);
    assert.equal(triggers.book.triggers().length, 0);
  });
});

test('all sessions together may leave so many triggers and types, and no more', () => {
  const room = new TriggerRoom<number>();
  const sessions = MAX_TRIGGERS / TRIGGERS_PER_REMOTE;
  for (let n = 0; n < MAX_TRIGGERS; n++) assert.equal(room.take(n % sessions, 1), true);
  assert.equal(room.take(sessions, 1), false);
  room.give(0, 1);
  assert.equal(room.take(sessions, 1), true);
});
