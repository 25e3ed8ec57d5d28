// What of a reading becomes functions, and what it changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../lib/limits.ts';
import { changeOf, offersOf, select } from '../../lib/sources/reading.ts';
import type { SourceDefinition, SourceFunction } from '../../lib/sources/source.ts';

const DEFINITION: SourceDefinition = { name: 'a', type: 'fake', isFromOperator: false, settings: {} };

const fn = (name: string, fingerprint = '1'): SourceFunction => ({
  name,
  description: null,
  requestFormat: { const: name },
  responseFormat: null,
  metadata: { tags: [name] },
  server: { serve: () => Promise.resolve(`"${fingerprint}"`) },
  fingerprint,
});
const read = (functions: SourceFunction[], more: Partial<SourceDefinition> = {}, title: string | null = null) =>
  select(
    { ...DEFINITION, ...more },
    { functions, unmapped: [], title },
    { ...DEFAULT_LIMITS, maxFunctionsPerSource: 2 },
  );

test('two functions of one name are a mistake of the source', () => {
  assert.throws(() => read([fn('x'), fn('x')]), {
    code: 'invalid_source',
    message: 'Two functions of the source have the id a::x.',
  });
});

test('as many functions as there may be are counted after the patterns; one more is refused', () => {
  const functions = ['x', 'y', 'z'].map((name) => fn(name));
  assert.deepEqual([...read(functions, { exclude: ['z'] }).functions.keys()], ['a::x', 'a::y']);
  assert.throws(() => read(functions), { code: 'invalid_source', details: { functions: 3, limit: 2 } });
});

test('a title is cut where it is too long', () => {
  assert.equal(read([], {}, 'x'.repeat(513)).title, `${'x'.repeat(511)}…`);
  assert.equal(read([], {}, 'x'.repeat(512)).title, 'x'.repeat(512));
});

test('a change is counted by fingerprints', () => {
  const before = new Map([
    ['a::same', '1'],
    ['a::other', '1'],
    ['a::gone', '1'],
    ['a::gone2', '1'],
  ]);
  const change = changeOf(before, read([fn('same'), fn('other', '2')]));
  assert.deepEqual(change, { added: 0, changed: 1, removed: 2, unchanged: 1 });
  assert.deepEqual(changeOf(new Map(), read([fn('x')])), { added: 1, changed: 0, removed: 0, unchanged: 0 });
});

test('a function is offered with all that is said of it, in the group, and with the server that it keeps', () => {
  const [x, y] = [fn('x'), fn('y')];
  const kept = fn('x').server;
  const offers = offersOf('a', read([x, y]), (id, fingerprint) =>
    id === 'a::x' && fingerprint === '1' ? kept : undefined,
  );
  const spec = (name: string) => ({
    functionId: `a::${name}`,
    description: null,
    requestFormat: { const: name },
    responseFormat: null,
    metadata: { tags: [name] },
  });
  assert.deepEqual(offers, [
    { spec: spec('x'), group: 'a', server: kept },
    { spec: spec('y'), group: 'a', server: y.server },
  ]);
});
