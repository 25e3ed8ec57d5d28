// What the compiler infers is part of the contract: authors write no annotations, callers cast nothing.
// The assertions are made by tsc; the tests exist so that a runner shows that this file was compiled.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import type counter from '../actors/counter.ts';
import type echo from '../actors/echo.ts';
import type ledger from '../actors/ledger.ts';
import { defineActor } from '../lib/actor.ts';
import type { ActorContext } from '../lib/actor.ts';
import type { ActorConfig, ActorInput, ActorOutput, Client, Receipt, WorkerHandle } from '../lib/client/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles for `true` only. */
function expect<Holds extends true>(holds = true as Holds): void {
  assert.ok(holds);
}
/** The type of a value, exactly: `true` is no argument when the types differ. */
function isExactly<Expected>() {
  return <Actual>(_value: Actual, holds: Equal<Actual, Expected>): void => assert.ok(holds);
}

test('defineActor infers config, input, state and ctx from the schemas', () => {
  defineActor({
    kind: 'full',
    config: v.strictObject({ start: v.optional(v.number(), 0) }),
    input: v.strictObject({ add: v.optional(v.number(), 1) }),
    output: v.string(),
    state: (config) => {
      isExactly<{ start: number }>()(config, true);
      return { total: config.start, names: [config.start.toFixed()] };
    },
    receive: async (input, ctx) => {
      type State = { total: number; names: string[] };
      isExactly<{ add: number }>()(input, true);
      isExactly<ActorContext<{ start: number }, State>>()(ctx, true);
      isExactly<State>()(ctx.state, true);
      isExactly<{ start: number }>()(ctx.config, true);
      await ctx.stop('other');
      return ctx.state.names.join();
    },
    stopped: (ctx) => {
      isExactly<{ total: number; names: string[] }>()(ctx.state, true);
    },
  });
});

test('defineActor holds migrate to the state, which is inferred from state alone', () => {
  const common = { kind: 'migrating', input: v.number(), stateVersion: 2, state: () => ({ total: 0 }) } as const;
  defineActor({
    ...common,
    migrate: (old, fromVersion) => {
      isExactly<unknown>()(old, true);
      isExactly<number>()(fromVersion, true);
      return { total: Number(old) };
    },
    receive: (_input, ctx) => isExactly<{ total: number }>()(ctx.state, true),
  });
  // @ts-expect-error not the state
  defineActor({ ...common, migrate: () => ({ sum: 0 }), receive: () => null });
  // @ts-expect-error a promise is not either
  defineActor({ ...common, migrate: async () => Promise.resolve({ total: 0 }), receive: () => null });
});

test('defineActor holds receive to the output schema', () => {
  const common = { kind: 'strict', input: v.number(), output: v.string() } as const;
  defineActor({ ...common, receive: (input) => String(input) });
  // @ts-expect-error a number is no string
  defineActor({ ...common, receive: (input) => input });
  // @ts-expect-error nor is the promise of one
  defineActor({ ...common, receive: async (input) => Promise.resolve(input) });
  // @ts-expect-error and nothing is no string
  defineActor({ ...common, receive: () => undefined });
});

test('defineActor infers what functions take, and holds them to their outputs', () => {
  const common = { kind: 'serving', input: v.number(), state: () => ({ total: 0 }), receive: () => null } as const;
  defineActor({
    ...common,
    config: v.strictObject({ start: v.number() }),
    functions: {
      add: {
        description: 'Adds.',
        input: v.strictObject({ amount: v.optional(v.number(), 1) }),
        output: v.number(),
        run: (payload, ctx) => {
          isExactly<{ amount: number }>()(payload, true);
          isExactly<ActorContext<{ start: number }, { total: number }>>()(ctx, true);
          return (ctx.state.total += payload.amount);
        },
      },
      later: { input: v.string(), output: v.string(), run: async (payload) => Promise.resolve(payload.trim()) },
      anything: { input: v.unknown(), run: (payload) => payload },
    },
  });
  // @ts-expect-error a text is no number
  defineActor({ ...common, functions: { add: { input: v.number(), output: v.number(), run: (n) => n.toFixed() } } });
  // @ts-expect-error every function needs a schema
  defineActor({ ...common, functions: { add: { run: () => 1 } } });
});

test('an actor without config, output and state takes and gives anything, and has no state', () => {
  const bare = defineActor({
    kind: 'bare',
    input: v.unknown(),
    receive: (input, ctx) => {
      isExactly<unknown>()(input, true);
      isExactly<undefined>()(ctx.state, true);
      isExactly<unknown>()(ctx.config, true);
      return { any: 'thing' };
    },
  });
  assert.equal(bare.kind, 'bare');
  expect<Equal<ActorOutput<typeof bare>, unknown>>();
  expect<Equal<ActorConfig<typeof bare>, unknown>>();
});

test('a definition lends its types to its callers', () => {
  expect<Equal<ActorInput<typeof counter>, { add: number }>>();
  expect<Equal<ActorOutput<typeof counter>, number>>();
  expect<Equal<ActorConfig<typeof counter>, { start?: number | undefined } | undefined>>();
  expect<Equal<ActorInput<typeof echo>, unknown>>();
  expect<Equal<ActorOutput<typeof ledger>, Record<string, number>>>();
  expect<
    Equal<
      Extract<ActorInput<typeof ledger>, { type: 'transfer' }>,
      { type: 'transfer'; from: string; to: string; cents: number }
    >
  >();
});

test('a client types its workers by the definition, and takes anything without one', () => {
  const worker = (client: Client) => client.worker<typeof counter>('c1');
  assert.equal(typeof worker, 'function');
  type Worker = ReturnType<typeof worker>;
  expect<Equal<Worker, WorkerHandle<typeof counter>>>();
  expect<Equal<Parameters<Worker['ask']>[0], { add: number }>>();
  expect<Equal<Awaited<ReturnType<Worker['ask']>>, number>>();
  expect<Equal<Awaited<ReturnType<Worker['tell']>>, Receipt>>();
  expect<Equal<Parameters<WorkerHandle['ask']>[0], unknown>>();
  expect<Equal<Awaited<ReturnType<WorkerHandle['ask']>>, unknown>>();
  // @ts-expect-error the input is the counter's
  ((client: Client) => client.worker<typeof counter>('c1').tell({ add: '2' })) satisfies (
    client: Client,
  ) => Promise<Receipt>;
  // @ts-expect-error so is the config
  ((client: Client) => client.create<typeof counter>({ kind: 'counter', config: { start: 'one' } })) satisfies (
    client: Client,
  ) => unknown;
});
