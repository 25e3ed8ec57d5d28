// One id, one owner: it is taken, kept and given up by that owner alone, in whichever order the others come.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FunctionCall, FunctionOwner } from '../../lib/functions/function.ts';
import { Functions } from '../../lib/functions/registry.ts';
import { MAX_FUNCTION_ID_CHARS } from '../../lib/limits.ts';
import { codeOf } from '../support/start-runtime.ts';

const CALL: FunctionCall = { payload: '1', metadata: null, caller: { workerId: null }, timeoutMs: 1_000 };
const ownerOf = (ownerId: string, origin: FunctionOwner['origin'] = 'remote'): FunctionOwner => ({
  ownerId,
  origin,
  name: null,
  serve: (fn) => Promise.resolve(`"${ownerId} ${fn.functionId}"`),
});
const spec = (functionId: string, more: object = {}) => ({ functionId, description: null, ...more });
const codeFrom = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
};
const [one, two] = [ownerOf('one'), ownerOf('two')];

describe('a function', () => {
  test('belongs to whoever registered it until that owner gives it up', async () => {
    const functions = new Functions();
    functions.register(one, spec('f'));
    assert.equal(
      codeFrom(() => functions.register(two, spec('f'))),
      'function_exists',
    );
    assert.equal(functions.release(two, 'f'), false);
    functions.releaseAll(two);
    assert.equal(await functions.call('f', CALL), '"one f"');
    assert.equal(functions.release(one, 'f'), true);
    assert.equal(functions.release(one, 'f'), false);
    functions.register(two, spec('f'));
    functions.releaseAll(one);
    assert.equal(await functions.call('f', CALL), '"two f"');
    assert.deepEqual([functions.countOf(one), functions.countOf(two)], [0, 1]);
  });

  test('is replaced by its own owner in one step, as another object', () => {
    const functions = new Functions();
    const before = functions.register(one, spec('f'));
    const after = functions.register(one, spec('f', { description: 'new' }));
    assert.notEqual(before, after);
    assert.ok(Object.isFrozen(after));
    assert.equal(functions.get('f'), after);
    assert.equal(functions.countOf(one), 1);
  });

  test('that is not there cannot be called', async () => {
    assert.equal(await codeOf(new Functions().call('f', CALL)), 'function_not_found');
    assert.equal(new Functions().get('__proto__'), undefined);
  });

  test("has an id without control characters or white space at the ends, of bounded length; some are the runtime's", () => {
    const functions = new Functions();
    const wrong = [
      '',
      ' ',
      ' f',
      'f ',
      'f\n',
      'a\u0000b',
      '\u0085',
      '\ufefff',
      'x'.repeat(MAX_FUNCTION_ID_CHARS + 1),
      'engine::',
      'engine::f',
    ];
    for (const id of wrong)
      assert.equal(
        codeFrom(() => functions.register(one, spec(id))),
        'invalid_request',
        JSON.stringify(id),
      );
    const right = ['f', 'a b', 'engine', 'engines::f', '__proto__', '\ud83d\ude00', 'x'.repeat(MAX_FUNCTION_ID_CHARS)];
    for (const id of right) assert.equal(functions.register(one, spec(id)).functionId, id);
    assert.equal(functions.register(ownerOf('r', 'runtime'), spec('engine::f')).functionId, 'engine::f');
    assert.deepEqual(
      [...functions.of(one)].map(({ functionId }) => functionId),
      [...right].sort(),
    );
  });
});

describe('a claim', () => {
  test('keeps others from the id until it is published or given up', () => {
    const functions = new Functions();
    const claim = functions.claim(one, 'f');
    assert.equal(
      codeFrom(() => functions.claim(two, 'f')),
      'function_exists',
    );
    assert.equal(
      codeFrom(() => functions.register(two, spec('f'))),
      'function_exists',
    );
    assert.equal(functions.get('f'), undefined);
    claim.release();
    assert.equal(functions.register(two, spec('f')).owner, two);
    assert.equal(claim.publish(spec('f')), null);
    assert.equal(functions.get('f')?.owner, two);
  });

  test('that is given up leaves what its owner had', () => {
    const functions = new Functions();
    const before = functions.register(one, spec('f'));
    functions.claim(one, 'f').release();
    assert.equal(functions.get('f'), before);
  });

  test('of an owner that goes meanwhile is void, whoever has the id by then', () => {
    const functions = new Functions();
    const claim = functions.claim(one, 'f');
    functions.releaseAll(one);
    functions.register(two, spec('f'));
    assert.equal(claim.publish(spec('f')), null);
    claim.release();
    assert.equal(functions.get('f')?.owner, two);
    // Nor does an old one end a new one of the same owner.
    const again = functions.claim(one, 'g');
    functions.release(one, 'g');
    const next = functions.claim(one, 'g');
    again.release();
    assert.equal(
      codeFrom(() => functions.claim(two, 'g')),
      'function_exists',
    );
    assert.equal(next.publish(spec('g'))?.owner, one);
  });
});

describe('the listing', () => {
  test('is in order, in pages that neither skip nor repeat, without what is hidden', () => {
    const functions = new Functions();
    for (let n = 0; n < 25; n++) functions.register(n % 2 === 0 ? one : two, spec(`f::${n}`));
    functions.register(one, spec('hidden', { metadata: { internal: true } }));
    functions.register(ownerOf('r', 'runtime'), spec('engine::f'));
    const ids: string[] = [];
    let after: string | undefined;
    do {
      const page = functions.list({ limit: 7, after });
      ids.push(...page.functions.map(({ functionId }) => functionId));
      after = page.nextAfter ?? undefined;
    } while (after !== undefined);
    assert.deepEqual(ids, Array.from({ length: 25 }, (_, n) => `f::${n}`).sort());
    assert.equal(functions.list({ includeInternal: true }).functions.length, 27);
    assert.equal(functions.list({ worker: 'two' }).functions.length, 12);
    assert.deepEqual(functions.list({ search: 'F::2' }).functions.length, 6);
  });

  test('tells of every change, until nobody listens', () => {
    const functions = new Functions();
    let changes = 0;
    const stop = functions.onChange(() => void changes++);
    functions.register(one, spec('f'));
    functions.release(two, 'f');
    functions.release(one, 'f');
    functions.releaseAll(one);
    const heard = changes;
    stop();
    functions.register(one, spec('f'));
    assert.ok(heard >= 2 && changes === heard);
  });
});
