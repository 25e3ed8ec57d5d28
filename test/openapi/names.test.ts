// Names of operations stay what they are, whatever else the document has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameAll } from '../../lib/openapi/names.ts';
import type { Nameable } from '../../lib/openapi/names.ts';
import { MAX_NAME_CHARS } from '../../lib/openapi/bounds.ts';

const get = (path: string, operationId: string | null = null): Nameable => ({ method: 'GET', path, operationId });

test('a name is the cleaned operationId, else method and path', () => {
  const operations = [
    get('/a', 'listPets'),
    get('/b', 'list pets / all!'),
    get('/pets/{petId}/toys'),
    get('/'),
    get('/c', '💥'),
  ];
  assert.deepEqual(nameAll(operations), ['listPets', 'list_pets_all', 'get_pets_petId_toys', 'get', 'get_c']);
});

test('operations with one operationId all get the name of their path', () => {
  assert.deepEqual(nameAll([get('/a', 'x y'), get('/b', 'x_y'), get('/c', 'z')]), ['get_a', 'get_b', 'z']);
});

test('operations with one derived name all get a mark of their own', () => {
  const names = nameAll([get('/a/{b}'), get('/a/b')]);
  assert.match(names.join(' '), /^get_a_b_[0-9a-f]{8} get_a_b_[0-9a-f]{8}$/);
  assert.notEqual(names[0], names[1]);
});

test('a long name is cut and marked, so that two of one beginning differ', () => {
  const [one, other] = nameAll([get('/a', 'x'.repeat(65)), get('/b', 'x'.repeat(65))]);
  const [alone] = nameAll([get('/a', 'x'.repeat(64))]);
  assert.equal(one?.length, MAX_NAME_CHARS);
  assert.notEqual(one, other);
  assert.equal(alone, 'x'.repeat(64));
});

test('names are unique, of plain characters, and do not depend on the order', () => {
  const part = fc.constantFrom('a', 'A', '{a}', 'a_b', 'a-b', 'ü', '/', 'x'.repeat(70));
  const path = fc.array(part, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
  const operationId = fc.option(fc.constantFrom('a', 'get_a', 'get_a_b', 'a b', ' ', 'é'));
  const operation = fc.record({ method: fc.constantFrom('GET', 'PUT'), path, operationId });
  const operations = fc.uniqueArray(operation, { selector: ({ method, path }) => `${method} ${path}`, maxLength: 12 });
  fc.assert(
    fc.property(operations, fc.infiniteStream(fc.nat()), (given, order) => {
      const named = new Map(nameAll(given).map((name, index) => [given[index], name]));
      const names = [...named.values()].filter((name) => name !== null);
      assert.equal(new Set(names).size, given.length);
      assert.ok(names.every((name) => /^[A-Za-z0-9_.-]{1,64}$/.test(name)));
      const shuffled = given
        .map((each) => ({ each, at: order.next().value as number }))
        .sort((one, other) => one.at - other.at)
        .map(({ each }) => each);
      assert.deepEqual(
        nameAll(shuffled),
        shuffled.map((each) => named.get(each)),
      );
    }),
  );
});
