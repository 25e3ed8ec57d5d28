import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { Functions } from '../../lib/functions/registry.ts';
import type { Registration } from '../../lib/access/policy.ts';
import { Triggers } from '../../lib/engine/triggers.ts';
import { codeOf, recordLog } from '../support/start-runtime.ts';
import { fakeRemote } from './fake-remote.ts';
import type { FakeRemote } from './fake-remote.ts';
import { bindFrame, delivered, refused, resultFrame, taken, took, typeFrame, unbindFrame } from './trigger-frames.ts';

function setUp(t: TestContext) {
  const functions = new Functions();
  const { log, lines } = recordLog();
  const triggers = new Triggers({ functions, log, invocationTimeoutMs: 1_000 });
  t.after(() => triggers.close());
  return { functions, triggers, lines };
}

describe('a trigger', () => {
  test('is handed to the provider of its type, and taken back from it when it is unregistered', async (t) => {
    const { triggers } = setUp(t);
    const provider = fakeRemote('provider');
    const user = fakeRemote('user');
    await triggers.handle(provider, typeFrame('clock'));
    await triggers.handle(user, { ...bindFrame('t1'), metadata: { m: 1 } });
    assert.deepEqual(provider.take(), [{ ...delivered('t1'), metadata: { m: 1 } }]);
    await triggers.handle(provider, resultFrame('t1'));
    await triggers.handle(user, unbindFrame('t1'));
    assert.deepEqual(provider.take(), [taken('t1')]);
    assert.deepEqual(user.take(), []);
  });

  test('of an unknown type waits, and goes out under the same id when the type appears', async (t) => {
    const { triggers } = setUp(t);
    const provider = fakeRemote('provider');
    const user = fakeRemote('user');
    await triggers.handle(user, bindFrame('t1'));
    assert.deepEqual(user.take(), []);
    await triggers.handle(provider, typeFrame('clock'));
    assert.deepEqual(provider.take(), [delivered('t1')]);
  });

  test('outlives its provider, and goes to the next one', async (t) => {
    const { triggers } = setUp(t);
    const [first, second, user] = [fakeRemote('first'), fakeRemote('second'), fakeRemote('user')];
    await triggers.handle(first, typeFrame('clock'));
    await triggers.handle(user, bindFrame('t1'));
    first.isClosed = true;
    triggers.sessionEnded(first);
    await triggers.handle(second, typeFrame('clock'));
    assert.deepEqual(second.take(), [delivered('t1')]);
    await triggers.handle(second, { type: 'unregistertriggertype', id: 'clock' });
    await triggers.handle(second, typeFrame('clock'));
    assert.deepEqual(second.take(), [delivered('t1')]);
  });

  test('that its provider refuses is parked, its owner is told, and it goes out again with the type', async (t) => {
    const { triggers } = setUp(t);
    const [provider, user] = [fakeRemote('provider'), fakeRemote('user')];
    await triggers.handle(provider, typeFrame('clock'));
    await triggers.handle(user, bindFrame('t1'));
    provider.take();
    await triggers.handle(provider, resultFrame('t1', 'bad\nconfig'));
    assert.deepEqual(user.take(), [
      { ...refused('t1', ''), error: { code: 'trigger_registration_failed', message: 'badconfig' } },
    ]);
    await triggers.handle(provider, typeFrame('clock'));
    assert.deepEqual(provider.take(), [delivered('t1')]);
  });

  test('that was unregistered is not parked by a late refusal', async (t) => {
    const { triggers } = setUp(t);
    const [provider, user] = [fakeRemote('provider'), fakeRemote('user')];
    await triggers.handle(provider, typeFrame('clock'));
    await triggers.handle(user, bindFrame('t1'));
    await triggers.handle(user, unbindFrame('t1'));
    await triggers.handle(provider, resultFrame('t1', 'too late'));
    provider.take();
    await triggers.handle(provider, typeFrame('clock'));
    assert.deepEqual(provider.take(), []);
    assert.deepEqual(user.take(), []);
  });

  test('takes no answer from a remote that does not provide its type', async (t) => {
    const { triggers } = setUp(t);
    const [provider, user, stranger] = [fakeRemote('provider'), fakeRemote('user'), fakeRemote('stranger')];
    await triggers.handle(provider, typeFrame('clock'));
    await triggers.handle(user, bindFrame('t1'));
    await triggers.handle(stranger, resultFrame('t1', 'spoofed'));
    await triggers.handle(user, resultFrame('t1', 'spoofed'));
    assert.deepEqual(user.take(), []);
    await triggers.handle(user, unbindFrame('t1'));
    assert.deepEqual(provider.take(), [delivered('t1'), taken('t1')]); // it was not parked: the provider is told
  });

  test('is unregistered only by the session that registered it', async (t) => {
    const { triggers } = setUp(t);
    const [user, stranger] = [fakeRemote('user'), fakeRemote('stranger')];
    await triggers.handle(user, bindFrame('t1'));
    await triggers.handle(stranger, unbindFrame('t1'));
    assert.equal(triggers.unregister('t1'), false);
    assert.equal(triggers.book.get('t1')?.owner, user);
  });

  test('keeps its id: another session with the same one is refused, the same session replaces it', async (t) => {
    const { triggers } = setUp(t);
    const [provider, user, stranger] = [fakeRemote('provider'), fakeRemote('user'), fakeRemote('stranger')];
    await triggers.handle(provider, typeFrame('clock'));
    await triggers.handle(user, bindFrame('t1'));
    await triggers.handle(stranger, bindFrame('t1', 'clock', 'b::x'));
    assert.deepEqual(took(stranger), [refused('t1', 'trigger_registration_failed', 'clock', 'b::x')]);
    provider.take();
    await triggers.handle(user, bindFrame('t1', 'clock', 'a::tock'));
    assert.deepEqual(provider.take(), [taken('t1'), delivered('t1', 'a::tock')]);
  });

  test('goes with its session, and its provider is told', async (t) => {
    const { triggers } = setUp(t);
    const [provider, user] = [fakeRemote('provider'), fakeRemote('user')];
    await triggers.handle(provider, typeFrame('clock'));
    await triggers.handle(user, bindFrame('t1'));
    provider.take();
    triggers.sessionEnded(user);
    assert.deepEqual(provider.take(), [taken('t1')]);
    await triggers.handle(fakeRemote('user again'), bindFrame('t1'));
    assert.deepEqual(provider.take(), [delivered('t1')]);
  });

  test('of a type that this runtime does not have is refused as such, unless a remote provides it', async (t) => {
    const { triggers } = setUp(t);
    const [provider, user] = [fakeRemote('provider'), fakeRemote('user')];
    for (const type of ['http', 'cron', 'state', 'stream', 'queue', 'durable:subscriber', 'subscribe', 'log'])
      await triggers.handle(user, bindFrame(`on-${type}`, type));
    const codes = user.take().map((frame) => 'error' in frame && frame.error?.code);
    assert.deepEqual(codes, Array(8).fill('unsupported_operation'));
    await triggers.handle(provider, typeFrame('http'));
    await triggers.handle(user, bindFrame('t1', 'http'));
    assert.deepEqual(provider.take(), [delivered('t1', 'a::tick', 'http')]);
    assert.deepEqual(user.take(), []);
  });

  test('that its provider cannot be sent waits for the next provider', async (t) => {
    const { triggers } = setUp(t);
    const [provider, next, user] = [fakeRemote('provider'), fakeRemote('next'), fakeRemote('user')];
    await triggers.handle(provider, typeFrame('clock'));
    provider.isClosed = true;
    await triggers.handle(user, bindFrame('t1'));
    triggers.sessionEnded(provider);
    await triggers.handle(next, typeFrame('clock'));
    assert.deepEqual(next.take(), [delivered('t1')]);
  });
});

describe('a trigger type', () => {
  test('stays with its provider while that is connected', async (t) => {
    const { triggers, lines } = setUp(t);
    const [first, second, user] = [fakeRemote('first'), fakeRemote('second'), fakeRemote('user')];
    await triggers.handle(first, typeFrame('clock'));
    await triggers.handle(second, typeFrame('clock'));
    assert.deepEqual(took(second), [{ type: 'error', error: { code: 'trigger_registration_failed' } }]);
    assert.deepEqual(
      lines.map(({ level, fields }) => [level, fields['worker_id'], fields['code']]),
      [['warn', 'second', 'trigger_registration_failed']],
    );
    await triggers.handle(second, { type: 'unregistertriggertype', id: 'clock' });
    triggers.sessionEnded(second);
    await triggers.handle(user, bindFrame('t1'));
    assert.deepEqual(first.take(), [delivered('t1')]);
  });

  test("of the runtime is only the runtime's", async (t) => {
    const { triggers } = setUp(t);
    const remote = fakeRemote('remote');
    await triggers.handle(remote, typeFrame('engine::functions-available'));
    await triggers.handle(remote, typeFrame('engine::mine'));
    assert.equal(took(remote).length, 2);
    assert.equal(triggers.book.type('engine::functions-available')?.provider, null);
    assert.equal(triggers.book.type('engine::mine'), undefined);
  });
});

describe('the policy of a session', () => {
  const forbidden = () => GreenroomError.of('forbidden');
  const prefixed = {
    admit: <R extends Registration>(registration: R): R =>
      registration.kind === 'trigger' ? { ...registration, functionId: `p::${registration.functionId}` } : registration,
  };

  test('puts the prefix on the function of a trigger; the session is answered in its own names', async (t) => {
    const { triggers } = setUp(t);
    const [provider, user] = [fakeRemote('provider'), fakeRemote('user', prefixed)];
    await triggers.handle(provider, typeFrame('clock'));
    await triggers.handle(user, bindFrame('t1'));
    assert.deepEqual(provider.take(), [delivered('t1', 'p::a::tick')]);
    await triggers.handle(provider, resultFrame('t1', 'no'));
    assert.deepEqual(took(user), [refused('t1', 'trigger_registration_failed')]);
  });

  test('refuses a trigger on a function that the session may not call, but not on its own', async (t) => {
    const { functions, triggers } = setUp(t);
    const user = fakeRemote('user', { callRefusal: forbidden });
    functions.register(user, { functionId: 'a::tick', description: null });
    functions.register(fakeRemote('other'), { functionId: 'b::wipe', description: null });
    await triggers.handle(user, bindFrame('t1', 'clock', 'b::wipe'));
    await triggers.handle(user, bindFrame('t2', 'clock', 'c::later'));
    await triggers.handle(user, bindFrame('t3'));
    assert.deepEqual(took(user), [
      refused('t1', 'FORBIDDEN', 'clock', 'b::wipe'),
      refused('t2', 'FORBIDDEN', 'clock', 'c::later'),
    ]);
    assert.equal(triggers.book.get('t3')?.owner, user);
  });

  test('has hooks that refuse, and hooks that rewrite; unregistering still goes by the name that was given', async (t) => {
    const { triggers } = setUp(t);
    const asked: Registration[] = [];
    const admit = async <R extends Registration>(registration: R): Promise<R> => {
      asked.push(registration);
      if (registration.kind === 'trigger_type') return { ...registration, triggerType: 'x-clock' };
      if (registration.kind !== 'trigger' || registration.triggerId === 't2') throw forbidden();
      return { ...registration, triggerId: 'x-t1', triggerType: 'x-clock', functionId: 'p::a::tock' };
    };
    const [provider, user] = [fakeRemote('provider', { admit }), fakeRemote('user', { admit })];
    await triggers.handle(provider, typeFrame('clock'));
    await triggers.handle(user, bindFrame('t1'));
    await triggers.handle(user, bindFrame('t2'));
    assert.deepEqual(provider.take(), [delivered('x-t1', 'p::a::tock')]); // the type under the name that the provider knows
    assert.deepEqual(took(user), [refused('t2', 'FORBIDDEN')]);
    await triggers.handle(user, unbindFrame('t1'));
    assert.deepEqual(provider.take(), [taken('x-t1')]);
    await triggers.handle(provider, { type: 'unregistertriggertype', id: 'clock' });
    assert.equal(triggers.book.type('x-clock'), undefined);
    assert.deepEqual(
      asked.map(({ kind }) => kind),
      ['trigger_type', 'trigger', 'trigger'],
    );
  });

  test('that answers after the session has ended registers nothing', async (t) => {
    const { triggers } = setUp(t);
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const admit = async <R extends Registration>(registration: R): Promise<R> => gate.then(() => registration);
    const user = fakeRemote('user', { admit });
    const handled = [triggers.handle(user, bindFrame('t1')), triggers.handle(user, typeFrame('clock'))];
    triggers.sessionEnded(user);
    open();
    await Promise.all(handled);
    assert.equal(triggers.book.get('t1'), undefined);
    assert.equal(triggers.book.type('clock'), undefined);
  });

  test('whose hook fails tells the session nothing of why', async (t) => {
    const { triggers, lines } = setUp(t);
    const admit = () => Promise.reject(new Error('cannot read /etc/secret'));
    const user = fakeRemote('user', { admit });
    await triggers.handle(user, bindFrame('t1'));
    assert.deepEqual(took(user), [refused('t1', 'internal')]);
    assert.doesNotMatch(JSON.stringify(lines), /secret/);
  });
});

describe('a trigger that no session ends', () => {
  const request = { triggerType: 'clock', functionId: 'a::tick', config: { every: 1 }, metadata: undefined };
  const wait = { timeoutMs: 60_000 };
  const idOf = (provider: FakeRemote): string => {
    const [frame] = provider.take();
    assert.equal(frame?.type, 'registertrigger');
    return (frame as { id: string }).id;
  };

  test('waits for the answer of its provider, stays when its maker goes, and can be unregistered by its id', async (t) => {
    const { triggers } = setUp(t);
    const [provider, maker] = [fakeRemote('provider'), fakeRemote('maker')];
    await triggers.handle(provider, typeFrame('clock'));
    const registered = triggers.register(maker, request, wait);
    await new Promise(setImmediate);
    const id = idOf(provider);
    await triggers.handle(provider, resultFrame(id));
    assert.equal(await registered, id);
    triggers.sessionEnded(maker);
    assert.equal(triggers.unregister(id), true);
    assert.equal(triggers.unregister(id), false);
    assert.deepEqual(provider.take(), [taken(id)]);
  });

  test('is accepted at once when nobody provides its type', async (t) => {
    const { triggers } = setUp(t);
    const id = await triggers.register(null, request, wait);
    assert.equal(triggers.book.get(id)?.owner, null);
  });

  test('is accepted when the provider takes too long', async (t) => {
    const { triggers } = setUp(t);
    const provider = fakeRemote('provider');
    await triggers.handle(provider, typeFrame('clock'));
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const registered = triggers.register(null, request, wait);
    await new Promise(setImmediate);
    t.mock.timers.tick(9_999);
    const early = await Promise.race([registered, new Promise((resolve) => setImmediate(resolve, 'waits'))]);
    assert.equal(early, 'waits');
    t.mock.timers.tick(1);
    assert.equal(await registered, idOf(provider));
  });

  test('is gone when the provider refuses it, when the call is cancelled, and when the runtime ends', async (t) => {
    const { triggers } = setUp(t);
    const provider = fakeRemote('provider');
    await triggers.handle(provider, typeFrame('clock'));
    const refusedOne = triggers.register(null, request, wait);
    await new Promise(setImmediate);
    await triggers.handle(provider, resultFrame(idOf(provider), 'no'));
    assert.equal(await codeOf(refusedOne), 'trigger_registration_failed');
    const abort = new AbortController();
    const cancelled = triggers.register(null, request, { ...wait, signal: abort.signal });
    await new Promise(setImmediate);
    abort.abort();
    assert.equal(await codeOf(cancelled), 'cancelled');
    assert.equal(await codeOf(triggers.register(null, request, { ...wait, signal: abort.signal })), 'cancelled');
    const ended = triggers.register(null, request, wait);
    await new Promise(setImmediate);
    triggers.close();
    assert.equal(await codeOf(ended), 'runtime_unavailable');
    assert.deepEqual(triggers.book.triggers(), []);
  });

  test('is not registered when the hooks take too long', async (t) => {
    const { triggers } = setUp(t);
    const admit = () => new Promise<never>(() => {});
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const registered = triggers.register(fakeRemote('maker', { admit }), request, wait);
    t.mock.timers.tick(30_000);
    assert.equal(await codeOf(registered), 'timeout');
    assert.deepEqual(triggers.book.triggers(), []);
  });

  test('obeys the policy of its maker', async (t) => {
    const { triggers } = setUp(t);
    const maker = fakeRemote('maker', { callRefusal: () => GreenroomError.of('forbidden') });
    assert.equal(await codeOf(triggers.register(maker, request, wait)), 'forbidden');
    const cron = { ...request, triggerType: 'cron' };
    assert.equal(await codeOf(triggers.register(null, cron, wait)), 'unsupported_operation');
  });
});
