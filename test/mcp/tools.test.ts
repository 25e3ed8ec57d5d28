import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Tool } from '@modelcontextprotocol/client';
import { toToolName } from '../../lib/mcp/tool-names.ts';
import { toFunctionName, toFunctions } from '../../lib/mcp/tools.ts';

const tool = (name: string, more: Partial<Tool> = {}): Tool => ({ name, inputSchema: { type: 'object' }, ...more });
const server = { serve: () => Promise.reject(new Error('not called')) };

test('a name that fits stays, and any other is cleaned and told apart by itself alone', () => {
  assert.equal(toFunctionName('get-sum_1.x'), 'get-sum_1.x');
  assert.match(toFunctionName('github/create issue'), /^github_create_issue-[0-9a-f]{8}$/);
  assert.notEqual(toFunctionName('a b'), toFunctionName('a/b'));
  assert.equal(toFunctionName('a b'), toFunctionName('a b'));
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (name) => {
      assert.match(toFunctionName(name), /^[A-Za-z0-9_.-]{1,105}$/);
    }),
  );
});

test('functions have names of tools that never clash', () => {
  const id = fc.string({ unit: fc.constantFrom('a', '_', '::', ':', 'é', '-'), minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(id, id, (one, other) => {
      assert.match(toToolName(one), /^[A-Za-z0-9_.-]{1,64}$/);
      assert.equal(toToolName(one) === toToolName(other), one === other);
    }),
  );
});

test('what cannot be a function is told by the name that the server gave', () => {
  const tools = [tool('a'), tool('a'), tool('b', { description: 'x'.repeat(300_000) }), tool('c')];
  const { functions, unmapped } = toFunctions(tools, () => server);
  assert.deepEqual(
    functions.map(({ name }) => name),
    ['a', 'c'],
  );
  assert.deepEqual(
    unmapped.map(({ operation, isServed }) => [operation, isServed]),
    [
      ['a', false],
      ['b', false],
    ],
  );
});

test('the fingerprint changes with what callers see, and with nothing else', () => {
  const fingerprint = (made: Tool): string | undefined => toFunctions([made], () => server).functions[0]?.fingerprint;
  const before = fingerprint(tool('a'));
  assert.equal(fingerprint(tool('a', { _meta: { build: 2 } })), before);
  for (const more of [
    { description: 'b' },
    { annotations: { readOnlyHint: true } },
    { outputSchema: { type: 'object' } },
  ])
    assert.notEqual(fingerprint(tool('a', more)), before);
});
