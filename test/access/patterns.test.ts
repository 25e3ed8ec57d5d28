// Patterns and filters: what fits, what does not, and that no id can make them slow.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compileFilters, compilePattern, compilePatterns } from '../../lib/access/patterns.ts';
import { seeded } from '../support/seeded.ts';

describe('a pattern', () => {
  const cases: [pattern: string, fits: string[], not: string[]][] = [
    ['a::b', ['a::b'], ['', 'a::', 'a::bc', 'xa::b', 'A::b']],
    ['*', ['', 'a', 'a::b', 'x'.repeat(5_000)], []],
    ['a::*', ['a::', 'a::b', 'a::b::c'], ['a:', 'a', 'xa::b', 'b::a::c']],
    ['*::get', ['::get', 'a::get', 'a::b::get'], ['get', 'a::get2']],
    ['a*b', ['ab', 'axb', 'abab', 'a::b'], ['a', 'b', 'aba']],
    ['a*a', ['aa', 'aba'], ['a']],
    ['a*b*c', ['abc', 'axbxc', 'abbc', 'abcbc'], ['ac', 'acb', 'abcb']],
    ['*b*', ['b', 'abc'], ['', 'ac']],
    ['**', ['', 'a'], []],
    ['a**b', ['ab', 'axb'], ['a']],
    ['*ab*ab*', ['abab', 'xabyabz'], ['ab', 'aab', 'aba']],
    ['ab*ab', ['abab'], ['ab', 'aba']],
    ['a.b', ['a.b'], ['axb']],
    ['(a|b)?[c]', ['(a|b)?[c]'], ['a', 'ac']],
    ['', [''], ['a']],
  ];
  for (const [pattern, fits, not] of cases) {
    test(JSON.stringify(pattern), () => {
      const matches = compilePattern(pattern);
      for (const text of fits) assert.equal(matches(text), true, text);
      for (const text of not) assert.equal(matches(text), false, text);
    });
  }

  test('means what the obvious definition says', (t) => {
    // A star takes any number of characters: tried one by one, which no hostile id may be.
    const obvious = (pattern: string, text: string): boolean => {
      if (pattern === '') return text === '';
      if (pattern[0] !== '*') return text[0] === pattern[0] && text !== '' && obvious(pattern.slice(1), text.slice(1));
      for (let taken = 0; taken <= text.length; taken++) if (obvious(pattern.slice(1), text.slice(taken))) return true;
      return false;
    };
    const texts = (letters: string[], maxLength: number) =>
      fc.array(fc.constantFrom(...letters), { maxLength }).map((chosen) => chosen.join(''));
    fc.assert(
      fc.property(texts(['a', 'b', '*'], 7), texts(['a', 'b'], 9), (pattern, text) => {
        assert.equal(compilePattern(pattern)(text), obvious(pattern, text), `${pattern} ${text}`);
      }),
      seeded(t, 5_000),
    );
  });

  test('between stars is not searched for in a text that no id can be', () => {
    const matches = compilePattern('a*b*');
    assert.equal(matches(`a${'x'.repeat(1_022)}b`), true);
    assert.equal(matches(`a${'x'.repeat(1_023)}b`), false);
  });
});

test('of several patterns, one has to fit; of none, none does', () => {
  const matches = compilePatterns(['a::*', 'b']);
  assert.deepEqual(['a::x', 'b', 'c'].map(matches), [true, true, false]);
  assert.equal(compilePatterns([])(''), false);
});

describe('a filter', () => {
  const fits = (sources: Parameters<typeof compileFilters>[0], id: string, metadata?: unknown) =>
    compileFilters(sources)(id, metadata);

  test('may be a pattern, with or without `match`', () => {
    for (const source of ['a::*', 'match("a::*")', "match('a::*')"]) {
      assert.equal(fits([source], 'a::b'), true);
      assert.equal(fits([source], 'b::a'), false);
    }
    assert.equal(fits(['match("a::*\')'], 'a::b'), false);
  });

  test('on metadata asks for every key, and of several filters one is enough', () => {
    const both = { metadata: { public: true, tier: 'match("gold-*")' } };
    assert.equal(fits([both], 'x', { public: true, tier: 'gold-1', more: 1 }), true);
    assert.equal(fits([both], 'x', { public: true }), false);
    assert.equal(fits([both], 'x', { public: true, tier: 'silver' }), false);
    assert.equal(fits([both], 'x', { public: 'true', tier: 'gold-1' }), false);
    assert.equal(fits([both, 'x'], 'x', null), true);
    assert.equal(fits([{ metadata: { a: 1 } }, { metadata: { b: 2 } }], 'x', { b: 2 }), true);
  });

  test('compares values of any type, and `match` fits texts only', () => {
    assert.equal(fits([{ metadata: { a: { x: 1, y: [2] } } }], 'x', { a: { y: [2], x: 1 } }), true);
    assert.equal(fits([{ metadata: { a: { x: 1 } } }], 'x', { a: { x: 1, y: 2 } }), false);
    assert.equal(fits([{ metadata: { a: 'match("*")' } }], 'x', { a: 5 }), false);
    assert.equal(fits([{ metadata: { a: '*' } }], 'x', { a: 'b' }), false);
  });

  test('on metadata fits no function without the key, whatever objects inherit', () => {
    for (const metadata of [undefined, null, 'a', 1, [], {}])
      assert.equal(fits([{ metadata: { toString: 'match("*")' } }], 'x', metadata), false);
    assert.equal(fits([{ metadata: { constructor: Object } }], 'x', {}), false);
  });
});
