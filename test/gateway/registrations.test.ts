// What a credential with a prefix registers: under ids of its own, whatever it calls them, and out of reach of every other.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { startGateway } from './raw-peer.ts';
import type { Frame } from './raw-peer.ts';

const isRejected = ({ type }: Frame): boolean => type === 'registrationrejected';

async function start(t: TestContext) {
  const credentials = [
    { name: 'shop', token: 'shop-token', prefix: 'shop', call: ['shop::*'], expose: ['shop::*'] },
    { name: 'bank', token: 'bank-token', call: ['bank::*'], expose: ['bank::*'] },
  ];
  const edge = await startGateway(t, { gateway: { credentials } });
  const as = (name: string) => edge.connect({ headers: { authorization: `Bearer ${name}-token` } });
  return { ...edge, as };
}

describe('a credential with a prefix', () => {
  test('registers, serves and gives up under it, and its peer sees its own names', async (t) => {
    const { connect, as, runtime } = await start(t);
    const [shop, caller] = [await as('shop'), await connect()];
    await shop.serve('buy', ({ function_id: id }) => id);
    assert.deepEqual(
      [runtime.functions.get('buy'), runtime.functions.get('shop::buy')?.owner.ownerId],
      [undefined, shop.workerId],
    );
    assert.equal((await caller.call('shop::buy')).result, 'buy');
    assert.equal((await caller.call('buy')).error?.code, 'function_not_found');
    shop.send({ type: 'unregisterfunction', id: 'shop::buy' });
    assert.equal((await shop.call('shop::buy')).result, 'buy');
    shop.send({ type: 'unregisterfunction', id: 'buy' });
    assert.equal((await shop.call('shop::buy')).error?.code, 'function_not_found');
  });

  test('is told, when an id is taken, by whom: of that id, not of one that only has the name', async (t) => {
    const { connect, as } = await start(t);
    const [other, first, second] = [await connect(), await as('shop'), await as('shop')];
    await other.serve('buy');
    await first.serve('buy');
    assert.deepEqual(first.frames, []);
    await second.serve('buy');
    const { code, function_id: id, owner_worker_id: owner } = await second.next(isRejected);
    assert.deepEqual([code, id, owner], ['FUNCTION_NAMESPACE_CONFLICT', 'buy', first.workerId]);
  });

  test('stays within it, whatever ids its peer makes up', async (t) => {
    const { as, runtime } = await start(t);
    const shop = await as('shop');
    for (const id of ['::', '../bank::pay', 'engine::workers::list', 'shop::buy', '*']) await shop.serve(id);
    const ids = [...runtime.functions.values()].filter(({ owner }) => owner.origin === 'remote');
    assert.ok(ids.length > 0 && ids.every(({ functionId }) => functionId.startsWith('shop::')));
  });
});

describe('a credential with patterns', () => {
  test('learns nothing of who has what it may not register', async (t) => {
    const { connect, as } = await start(t);
    const [bank, owner] = [await as('bank'), await connect()];
    await owner.serve('shop::buy');
    for (const id of ['shop::buy', 'shop::nothing']) {
      bank.send({ type: 'registerfunction', id });
      const { message, ...rest } = await bank.next(isRejected);
      assert.deepEqual(rest, {
        type: 'registrationrejected',
        code: 'forbidden',
        namespace: 'default',
        function_id: id,
      });
      assert.equal(typeof message, 'string');
    }
  });

  test('neither calls nor registers what they do not fit, void or not, and is told so each time', async (t) => {
    const { connect, as } = await start(t);
    const [bank, owner] = [await as('bank'), await connect()];
    let calls = 0;
    await owner.serve('shop::buy', () => calls++);
    for (const id of ['shop::buy', 'bank:pay', 'Bank::pay', ' bank::pay', 'engine::workers::list', '']) {
      bank.send({ type: 'registerfunction', id });
      assert.match(String((await bank.next(isRejected))['code']), /^(forbidden|invalid_request)$/, id);
      if (id !== '') assert.equal((await bank.call(id)).error?.code, 'FORBIDDEN', id);
    }
    bank.send({ type: 'invokefunction', function_id: 'shop::buy', action: { type: 'void' } });
    const refused = await bank.next(({ type }) => type === 'invocationresult');
    assert.equal(refused.error?.code, 'FORBIDDEN');
    assert.match(refused.invocation_id ?? '', /^[0-9a-f-]{36}$/);
    // A token of another session moves a place, not a right.
    bank.send({ type: 'reattach', previous_worker_id: owner.workerId, reattach_token: owner.token });
    assert.equal((await bank.call('shop::buy')).error?.code, 'FORBIDDEN');
    assert.equal(calls, 0);
  });
});
