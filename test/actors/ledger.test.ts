import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { hasCode, startRuntime } from './runtime.ts';

const openLedger = async (t: TestContext) =>
  (await startRuntime(t)).create({ kind: 'ledger', config: { accounts: { alice: 1_000, bob: 0 } } });

test('a ledger opens accounts, moves cents between them and answers with the balances that it touched', async (t) => {
  const ledger = await openLedger(t);
  assert.deepEqual(await ledger.ask({ type: 'open', account: 'carol' }), { carol: 0 });
  assert.deepEqual(await ledger.ask({ type: 'deposit', account: 'carol', cents: 250 }), { carol: 250 });
  assert.deepEqual(await ledger.ask({ type: 'withdraw', account: 'carol', cents: 50 }), { carol: 200 });
  assert.deepEqual(await ledger.ask({ type: 'transfer', from: 'alice', to: 'carol', cents: 1_000 }), {
    alice: 0,
    carol: 1_200,
  });
  assert.deepEqual(await ledger.ask({ type: 'balance', account: 'bob' }), { bob: 0 });
});

test('an overdraft is refused, and its code and details reach the caller', async (t) => {
  const ledger = await openLedger(t);
  await assert.rejects(ledger.ask({ type: 'withdraw', account: 'alice', cents: 1_001 }), (error: unknown) => {
    assert.ok(error instanceof GreenroomError);
    assert.deepEqual(error.toWire(), {
      code: 'insufficient_funds',
      message: 'The account does not hold that much.',
      retryable: false,
      details: { account: 'alice', balance_cents: 1_000, requested_cents: 1_001 },
    });
    assert.equal(error.status, 422);
    return true;
  });
  assert.deepEqual(await ledger.ask({ type: 'balance', account: 'alice' }), { alice: 1_000 });
});

test('a transfer that fails half-way leaves both accounts as they were', async (t) => {
  const ledger = await openLedger(t);
  await assert.rejects(
    ledger.ask({ type: 'transfer', from: 'alice', to: 'nobody', cents: 10 }),
    hasCode('account_not_found'),
  );
  await assert.rejects(
    ledger.ask({ type: 'transfer', from: 'bob', to: 'alice', cents: 10 }),
    hasCode('insufficient_funds'),
  );
  assert.deepEqual(await ledger.ask({ type: 'balance', account: 'alice' }), { alice: 1_000 });
  await assert.rejects(ledger.ask({ type: 'balance', account: 'nobody' }), hasCode('account_not_found'));
});

test('transfers sent at once create and destroy no cent', async (t) => {
  const ledger = await openLedger(t);
  const transfers = Array.from({ length: 200 }, (_, n) =>
    ledger.ask({ type: 'transfer', from: n % 3 ? 'alice' : 'bob', to: n % 3 ? 'bob' : 'alice', cents: 1 + n }),
  );
  const refused = (await Promise.allSettled(transfers)).filter(({ status }) => status === 'rejected').length;
  assert.ok(refused > 0 && refused < 200);
  const alice = (await ledger.ask({ type: 'balance', account: 'alice' })) as { alice: number };
  const bob = (await ledger.ask({ type: 'balance', account: 'bob' })) as { bob: number };
  assert.equal(alice.alice + bob.bob, 1_000);
});

test('a transfer to the same account changes nothing', async (t) => {
  const ledger = await openLedger(t);
  assert.deepEqual(await ledger.ask({ type: 'transfer', from: 'alice', to: 'alice', cents: 1_000 }), { alice: 1_000 });
});

test('an account opens once, and names that every object knows are names like others', async (t) => {
  const ledger = await openLedger(t);
  await assert.rejects(ledger.ask({ type: 'open', account: 'alice' }), hasCode('account_exists'));
  await assert.rejects(ledger.ask({ type: 'balance', account: 'constructor' }), hasCode('account_not_found'));
  assert.deepEqual(await ledger.ask({ type: 'open', account: 'constructor' }), { constructor: 0 });
});

test('a balance stays within the whole numbers that JSON can hold', async (t) => {
  const ledger = await openLedger(t);
  await assert.rejects(
    ledger.ask({ type: 'deposit', account: 'alice', cents: Number.MAX_SAFE_INTEGER }),
    hasCode('balance_too_large'),
  );
  assert.deepEqual(await ledger.ask({ type: 'balance', account: 'alice' }), { alice: 1_000 });
});

test('cents are whole and above zero', async (t) => {
  const ledger = await openLedger(t);
  for (const cents of [0, -1, 0.5, '1', 2 ** 53]) {
    await assert.rejects(ledger.ask({ type: 'deposit', account: 'alice', cents }), hasCode('invalid_input'));
  }
  await assert.rejects(ledger.ask({ type: 'steal', account: 'alice', cents: 1 }), hasCode('invalid_input'));
});
