// Accounts in whole cents: shows typed refusals and that a failed input leaves the state as it was.
// A transfer withdraws before it knows whether the other account exists: the runtime takes the state back when it throws,
// so no code here undoes anything.

import * as v from 'valibot';
import { ActorError, defineActor } from '../lib/actor.ts';

const account = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,63}$/));
const balance = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const cents = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(Number.MAX_SAFE_INTEGER));

export default defineActor({
  kind: 'ledger',
  description: 'Keeps accounts in integer cents; answers with the balances it touched. Refuses overdrafts.',
  config: v.optional(v.strictObject({ accounts: v.optional(v.record(account, balance), {}) }), {}),
  input: v.variant('type', [
    v.strictObject({ type: v.literal('open'), account }),
    v.strictObject({ type: v.literal('deposit'), account, cents }),
    v.strictObject({ type: v.literal('withdraw'), account, cents }),
    v.strictObject({ type: v.literal('transfer'), from: account, to: account, cents }),
    v.strictObject({ type: v.literal('balance'), account }),
  ]),
  output: v.record(account, balance),
  state: (config) => ({ accounts: { ...config.accounts } }),
  receive: (input, ctx) => {
    const { accounts } = ctx.state;
    const moves =
      input.type === 'transfer'
        ? [
            { account: input.from, change: -input.cents },
            { account: input.to, change: input.cents },
          ]
        : [
            {
              account: input.account,
              change: input.type === 'deposit' ? input.cents : input.type === 'withdraw' ? -input.cents : 0,
            },
          ];
    for (const { account, change } of moves) {
      const isOpen = Object.hasOwn(accounts, account); // `constructor` is a fine name for an account
      if (isOpen && input.type === 'open')
        throw new ActorError('account_exists', 'The account is open already.', { details: { account } });
      if (!isOpen && input.type !== 'open')
        throw new ActorError('account_not_found', 'There is no such account.', { details: { account } });
      const before = isOpen ? (accounts[account] ?? 0) : 0;
      const after = before + change;
      if (after < 0) {
        throw new ActorError('insufficient_funds', 'The account does not hold that much.', {
          details: { account, balance_cents: before, requested_cents: -change },
        });
      }
      if (!Number.isSafeInteger(after))
        throw new ActorError('balance_too_large', 'The account cannot hold that much.', { details: { account } });
      accounts[account] = after;
    }
    return Object.fromEntries(moves.map(({ account }) => [account, accounts[account] ?? 0]));
  },
});
