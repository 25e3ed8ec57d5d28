// What every owner of functions must do, whoever it is. Run by actors, and by whatever else serves functions.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import type { FunctionCall } from '../../lib/functions/function.ts';
import type { Functions } from '../../lib/functions/registry.ts';
import { payloadText } from '../../lib/protocol/payload.ts';
import type { Payload } from '../../lib/protocol/payload.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';

/** An owner that is ready, with these functions of its own under `idOf(NAME)`. */
export interface ServedFunctions {
  readonly functions: Functions;
  /**
   * `echo` answers with its payload, `nothing` with nothing, `large` with a text of `bytes` characters, `hold` with its payload once it
   * is released or cancelled; `refuse` fails with the code `no_such_thing`, `fail` with an error that has no code.
   */
  idOf(name: 'echo' | 'nothing' | 'refuse' | 'fail' | 'large' | 'hold'): string;
  /** Lets go of every `hold` that runs now. */
  release(): void;
  /** What a failure without a code of its own is called. Default `invocation_failed`. */
  readonly failureCode?: string;
  /** How many calls it takes before it is busy; at least 2. */
  readonly capacity: number;
  /** The largest message. */
  readonly limitBytes: number;
}

/** Longer than anything here takes; a wait of this length is a failure. */
const LONG_MS = 60_000;

class Caller {
  readonly #served: ServedFunctions;

  constructor(served: ServedFunctions) {
    this.#served = served;
  }

  encoded(name: Parameters<ServedFunctions['idOf']>[0], payload: Payload, options: Partial<FunctionCall> = {}) {
    const call = { metadata: null, caller: { workerId: null }, timeoutMs: LONG_MS, ...options, payload };
    return this.#served.functions.call(this.#served.idOf(name), call);
  }

  async value(name: Parameters<ServedFunctions['idOf']>[0], payload: unknown, options: Partial<FunctionCall> = {}) {
    return JSON.parse(payloadText(await this.encoded(name, JSON.stringify(payload), options))) as unknown;
  }

  /** Calls that nobody answers until they are released. */
  hold(count: number, options: Partial<FunctionCall> = {}): Promise<unknown>[] {
    return Array.from({ length: count }, (_, n) => this.value('hold', n, options));
  }

  /** Calls again for as long as the owner is busy: a place is free once the owner knows that nobody waits any more. */
  async insist(name: Parameters<ServedFunctions['idOf']>[0], payload: unknown): Promise<unknown> {
    const { outcome } = await eventually(async () => {
      const outcome = await codeOf(this.value(name, payload));
      return outcome === 'worker_busy' ? undefined : { outcome };
    });
    return outcome;
  }

  /** What became of calls that are held, once all of them have ended. */
  async released(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
    let outcomes: unknown[] | undefined;
    void Promise.all(calls.map(codeOf)).then((all) => (outcomes = all));
    return eventually(() => {
      if (outcomes === undefined) this.#served.release();
      return outcomes;
    });
  }
}

const rejection = (promise: Promise<unknown>): Promise<GreenroomError> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error as GreenroomError,
  );

export function functionsContract(name: string, start: (t: TestContext) => Promise<ServedFunctions>): void {
  const open = async (t: TestContext) => {
    const served = await start(t);
    const caller = new Caller(served);
    assert.equal(await caller.value('echo', 'ready'), 'ready');
    return { served, caller };
  };

  describe(`${name} as an owner of functions`, () => {
    test('answers with what the function returned, whatever JSON it is', async (t) => {
      const { caller } = await open(t);
      for (const value of [0, '', false, null, [], { a: [1, { b: 'ü\u2028😀' }] }, 'x'.repeat(100_000)])
        assert.deepEqual(await caller.value('echo', value), value);
    });

    test('takes a payload in bytes', async (t) => {
      const { caller } = await open(t);
      const text = JSON.stringify({ text: 'ü'.repeat(100_000) });
      const output = await caller.encoded('echo', Buffer.from(text));
      assert.equal(payloadText(output), text);
    });

    test('answers with null when the function returned nothing', async (t) => {
      const { caller } = await open(t);
      assert.equal(await caller.value('nothing', {}), null);
    });

    test('hands on the code that the function chose', async (t) => {
      const { caller } = await open(t);
      const { code, message, status } = await rejection(caller.value('refuse', {}));
      assert.deepEqual([code, message, status], ['no_such_thing', 'There is no such thing.', 422]);
    });

    test('has one code for whatever else the function threw, and goes on', async (t) => {
      const { caller, served } = await open(t);
      assert.equal(await codeOf(caller.value('fail', {})), served.failureCode ?? 'invocation_failed');
      assert.equal(await caller.value('echo', 1), 1);
    });

    test('answers many calls at once, each with its own', async (t) => {
      const { caller, served } = await open(t);
      const values = Array.from({ length: served.capacity }, (_, n) => n);
      assert.deepEqual(await Promise.all(values.map((n) => caller.value('echo', n))), values);
    });

    test('is busy when it is full, and says so at once; afterwards it is not', async (t) => {
      const { caller, served } = await open(t);
      const held = caller.hold(served.capacity);
      const { code, retryable, details } = await rejection(caller.value('echo', 1));
      assert.deepEqual([code, retryable, typeof details?.['retry_after_ms']], ['worker_busy', true, 'number']);
      assert.deepEqual(
        await caller.released(held),
        held.map((_, n) => n),
      );
      assert.equal(await caller.value('echo', 2), 2);
    });

    test('tells a caller whose time is up, and its place is free', async (t) => {
      const { caller, served } = await open(t);
      const held = caller.hold(served.capacity - 1);
      const { code, retryable } = await rejection(caller.value('hold', 'late', { timeoutMs: 20 }));
      assert.deepEqual([code, retryable], ['timeout', true]);
      const next = caller.insist('echo', 'next');
      assert.deepEqual(await caller.released([...held, next]), [...held.map((_, n) => n), 'next']);
    });

    test('lets go of a caller that aborts, and its place is free', async (t) => {
      const { caller, served } = await open(t);
      const held = caller.hold(served.capacity - 1);
      const aborting = new AbortController();
      const aborted = codeOf(caller.value('hold', 'aborted', { signal: aborting.signal }));
      assert.equal(await codeOf(caller.value('echo', 'one too many')), 'worker_busy');
      aborting.abort(new Error('enough'));
      assert.equal(await aborted, 'cancelled');
      const next = caller.insist('echo', 'next');
      assert.deepEqual(await caller.released([...held, next]), [...held.map((_, n) => n), 'next']);
    });

    test('does nothing for a caller that has aborted before', async (t) => {
      const { caller } = await open(t);
      assert.equal(await codeOf(caller.value('echo', 1, { signal: AbortSignal.abort() })), 'cancelled');
    });

    test('refuses a call above the limit with its size, and nobody else notices', async (t) => {
      const { caller, served } = await open(t);
      const { limitBytes } = served;
      const neighbour = caller.value('echo', 'neighbour');
      const { code, details } = await rejection(caller.value('echo', 'x'.repeat(limitBytes)));
      assert.equal(code, 'invocation_failed_payload_too_large');
      assert.ok((details?.['payload_bytes'] as number) > limitBytes);
      assert.equal(details?.['limit_bytes'], limitBytes);
      assert.equal(await neighbour, 'neighbour');
      assert.equal(await caller.value('echo', 1), 1);
    });

    test('fails the one call whose result is above the limit, with its size, and goes on', async (t) => {
      const { caller, served } = await open(t);
      const { limitBytes } = served;
      const { code, details } = await rejection(caller.value('large', { bytes: limitBytes }));
      assert.equal(code, 'invocation_failed_payload_too_large');
      assert.ok((details?.['payload_bytes'] as number) > limitBytes);
      assert.equal(details?.['limit_bytes'], limitBytes);
      assert.equal(await caller.value('echo', 1), 1);
    });
  });
}
