import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { GreenroomError } from '../../lib/errors.ts';
import { CallChains } from '../../lib/supervisor/call-chains.ts';
import { codeOf, emitted, openGate, startRuntime } from '../support/start-runtime.ts';
import { seeded } from '../support/seeded.ts';

interface Handled {
  readonly workerId: string;
  attempt: number;
  isSent: boolean;
  isDecided: boolean;
}

/** Workers `w0` to `w4`; each handles its input 1. */
function fiveWorkers(): { chains: CallChains; inputs: Handled[] } {
  const inputs = Array.from({ length: 5 }, (_, n) => ({
    workerId: `w${n}`,
    attempt: 1,
    isSent: true,
    isDecided: false,
  }));
  const chains = new CallChains((workerId, seq) => (seq === 1 ? inputs[Number(workerId.slice(1))] : undefined));
  return { chains, inputs };
}

function detailsOf(open: () => unknown): Record<string, unknown> | undefined | null {
  try {
    open();
    return null;
  } catch (thrown) {
    return (thrown as GreenroomError).details ?? {};
  }
}

const chainOf = (open: () => unknown): unknown => detailsOf(open)?.['chain'] ?? null;

describe('open asks between workers', () => {
  test('that would wait for themselves are refused, with the chain; all others are not', (t) => {
    const step = fc.record({
      from: fc.nat(4),
      to: fc.nat(4),
      // Instead of one more ask: the oldest that is open settles, or the input of `from` runs again.
      instead: fc.constantFrom(null, null, null, 'settle' as const, 'again' as const),
    });
    const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { chains, inputs } = fiveWorkers();
      let open: { from: number; to: number; settled: () => void }[] = [];
      const reaches = (from: number, to: number, seen = new Set([from])): boolean =>
        from === to ||
        open.some((edge) => edge.from === from && !seen.has(edge.to) && reaches(edge.to, to, seen.add(edge.to)));
      for (const { from, to, instead } of steps) {
        if (instead === 'settle') open.shift()?.settled();
        else if (instead === 'again') {
          (inputs[from] as Handled).attempt++;
          open = open.filter((edge) => edge.from !== from);
        } else {
          let settled: (() => void) | null = null;
          const chain = chainOf(() => (settled = chains.open(`w${from}`, 1, `w${to}`))) as string[] | null;
          assert.equal(chain !== null, reaches(to, from), `w${from} asks w${to}`);
          if (settled !== null) open.push({ from, to, settled });
          else assertChain(chain as string[], from, open);
        }
      }
    });
    fc.assert(property, seeded(t, 500));
  });

  test('do not count once the input that asked has ended, or runs no more', () => {
    for (const change of [{ isDecided: true }, { isSent: false }, { attempt: 2 }]) {
      const { chains, inputs } = fiveWorkers();
      chains.open('w0', 1, 'w1');
      assert.deepEqual(
        chainOf(() => chains.open('w1', 1, 'w0')),
        ['w1', 'w0', 'w1'],
      );
      Object.assign(inputs[0] as Handled, change);
      assert.equal(
        chainOf(() => chains.open('w1', 1, 'w0')),
        null,
        JSON.stringify(change),
      );
    }
  });

  test('of a handler that has ended are no wait', () => {
    const { chains } = fiveWorkers();
    chains.open('w0', 2, 'w1');
    assert.equal(
      chainOf(() => chains.open('w1', 1, 'w0')),
      null,
    );
  });

  test('are found at the end of a long line of workers, of which the error lists the first', () => {
    const chains = new CallChains((workerId) => ({ workerId, attempt: 1, isSent: true, isDecided: false }));
    const count = 50_000;
    for (let n = 1; n < count; n++) chains.open(`w${n - 1}`, 1, `w${n}`);
    const details = detailsOf(() => chains.open(`w${count - 1}`, 1, 'w0'));
    assert.equal(details?.['workers'], count);
    assert.deepEqual((details?.['chain'] as string[]).slice(0, 3), [`w${count - 1}`, 'w0', 'w1']);
    assert.equal((details?.['chain'] as string[]).length, 32);
  });
});

/** From the asker over open asks back to it. */
function assertChain(chain: readonly string[], from: number, open: readonly { from: number; to: number }[]): void {
  assert.equal(chain[0], `w${from}`);
  assert.equal(chain.at(-1), `w${from}`);
  for (let at = 1; at + 1 < chain.length; at++)
    assert.ok(
      open.some((edge) => `w${edge.from}` === chain[at] && `w${edge.to}` === chain[at + 1]),
      chain.join(' '),
    );
}

const ask = (worker: string, ...steps: unknown[]) => ({ do: 'ask', worker, input: { name: 'asked', steps } });

describe('a worker that asks', () => {
  test('itself is refused with `call_cycle`', async (t) => {
    const runtime = await startRuntime(t);
    const alone = await runtime.create({ kind: 'errand', workerId: 'alone' });
    const refused = alone.ask({ name: 'self', steps: [ask('alone')] });
    await assert.rejects(refused, { code: 'call_cycle', details: { chain: ['alone', 'alone'] } });
  });

  test('somebody who waits for it, over a third, is refused at once; the others learn of it', async (t) => {
    const runtime = await startRuntime(t, { hosts: 2 });
    for (const workerId of ['a', 'b', 'c']) await runtime.create({ kind: 'errand', workerId });
    const refused = runtime.worker('a').ask({ name: 'first', steps: [ask('b', ask('c', ask('a')))] });
    await assert.rejects(refused, { code: 'call_cycle', details: { chain: ['c', 'a', 'b', 'c'] } });
    assert.deepEqual(await runtime.worker('a').ask({ name: 'then', steps: [ask('b')] }), [[]]);
  });

  test('a worker behind whose running input the cycle would wait is refused too', async (t) => {
    const runtime = await startRuntime(t);
    for (const workerId of ['a', 'b']) await runtime.create({ kind: 'errand', workerId });
    const [a, b] = [runtime.worker('a'), runtime.worker('b')];
    const busy = b.ask({ name: 'busy', steps: [{ do: 'wait', gate: t.name }, ask('a')] });
    await emitted(b, 'waiting');
    const asking = a.ask({ name: 'asking', steps: [{ do: 'emit', value: 'asks' }, ask('b')] });
    await emitted(a, 'asks');
    // The ask stands in line behind `busy` now, or will be the one that is refused: either way exactly one of them is.
    openGate(t.name);
    const codes = await Promise.all([codeOf(busy), codeOf(asking)]);
    assert.equal(codes.filter((code) => code === 'call_cycle').length, 1, JSON.stringify(codes));
  });

  test('by calling a function of an actor that waits for it is refused', async (t) => {
    const runtime = await startRuntime(t);
    const caller = await runtime.create({ kind: 'calls-back', workerId: 'calls-back' });
    await assert.rejects(caller.ask('calls-back::again'), {
      code: 'call_cycle',
      details: { chain: ['calls-back', 'calls-back'] },
    });
  });
});
