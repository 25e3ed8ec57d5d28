// How a listener's functions are asked. (What their answers do: listener.test.ts.)

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createCallFunction } from '../../lib/access/hooks.ts';
import type { FunctionCall } from '../../lib/functions/function.ts';
import { MAX_REGISTRATION_BYTES } from '../../lib/limits.ts';
import { codeOf } from '../support/start-runtime.ts';

describe('a function that the gateway asks', () => {
  test('is called in the name of nobody, with the deadline, and its answer is parsed', async () => {
    const seen: [string, FunctionCall][] = [];
    const functions = {
      call: (id: string, call: FunctionCall) => {
        seen.push([id, call]);
        return Promise.resolve('{"a":1}');
      },
    };
    const { signal } = new AbortController();
    assert.deepEqual(await createCallFunction(functions, { timeoutMs: 7, signal })('f', { x: undefined }), { a: 1 });
    const call = { payload: '{}', metadata: null, caller: { workerId: null }, timeoutMs: 7, signal };
    assert.deepEqual(seen, [['f', call]]);
  });

  test('cannot answer more than a registration may hold, nor poison what reads it', async () => {
    const answering = (answer: string) =>
      codeOf(createCallFunction({ call: () => Promise.resolve(answer) }, { timeoutMs: 1 })('f', null));
    assert.equal(
      await answering(`"${'x'.repeat(MAX_REGISTRATION_BYTES - 2)}"`),
      'x'.repeat(MAX_REGISTRATION_BYTES - 2),
    );
    assert.equal(await answering(`"${'x'.repeat(MAX_REGISTRATION_BYTES - 1)}"`), 'invalid_output');
    assert.equal(await answering('{"__proto__":{}}'), 'invalid_json');
  });
});
