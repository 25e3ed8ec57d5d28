import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstDifference } from '../../lib/replay/differences.ts';

test('equal values have no difference, in whatever order their keys are', () => {
  assert.equal(firstDifference({ a: [1, { b: null }], c: 2 }, { c: 2, a: [1, { b: null }] }), null);
});

test('the first place where values differ is named as a JSON Pointer', () => {
  const cases: [unknown, unknown, string, unknown, unknown][] = [
    [1, 2, '', 1, 2],
    [null, {}, '', null, {}],
    [[1], { 0: 1 }, '', [1], { 0: 1 }],
    [{ a: { b: [1, 2] }, c: 1 }, { a: { b: [1, 3] }, c: 2 }, '/a/b/1', 2, 3],
    [{ a: 1 }, { a: 1, b: 2 }, '/b', undefined, 2],
    [[1, 2], [1], '/1', 2, undefined],
    [{ 'a/b': { '~': 1 } }, { 'a/b': { '~': 2 } }, '/a~1b/~0', 1, 2],
    [JSON.parse('{"__proto__":1}'), {}, '/__proto__', 1, undefined],
  ];
  for (const [left, right, path, recorded, replayed] of cases)
    assert.deepEqual(firstDifference(left, right), { path, recorded, replayed });
});
