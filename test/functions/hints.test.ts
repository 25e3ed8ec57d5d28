// What a registration says of a group, in every form: what of it is read, and that nothing of it stays.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { takeHint } from '../../lib/functions/hints.ts';

const hinted = (generatedWorker: unknown) => ({ iii: { generatedWorker } });

describe('the hint of a group', () => {
  const forms: [what: string, metadata: unknown, group: string | undefined, left: unknown][] = [
    ['a text', hinted('shop'), 'shop', undefined],
    ['a text with white space around it', hinted(' \tshop\n'), 'shop', undefined],
    ['an object with a name', hinted({ name: ' shop ' }), 'shop', undefined],
    ['an object with an id', hinted({ id: 'shop' }), 'shop', undefined],
    ['a name before an id', hinted({ id: 'other', name: 'shop' }), 'shop', undefined],
    ['an id where the name is null', hinted({ id: 'shop', name: null }), 'shop', undefined],
    ['a blank name, which an id does not mend', hinted({ id: 'shop', name: ' ' }), undefined, undefined],
    ['the alias', { iii: { virtualWorker: 'shop' } }, 'shop', undefined],
    ['the alias as an object', { iii: { virtualWorker: { id: 'shop' } } }, 'shop', undefined],
    ['both keys', { iii: { virtualWorker: 'other', generatedWorker: 'shop' } }, 'shop', undefined],
    ['both keys, the first one blank', { iii: { virtualWorker: 'other', generatedWorker: '' } }, undefined, undefined],
    ['an empty text', hinted(''), undefined, undefined],
    ['white space', hinted(' \u00a0\n'), undefined, undefined],
    ['an empty object', hinted({}), undefined, undefined],
    ['an object of other things', hinted({ name: 7, id: 'shop' }), undefined, undefined],
    ['a list', hinted(['shop']), undefined, undefined],
    ['a number', hinted(7), undefined, undefined],
    ['null', hinted(null), undefined, undefined],
    ['other keys beside it', { iii: { generatedWorker: 'shop', a: 1 }, b: 2 }, 'shop', { iii: { a: 1 }, b: 2 }],
    ['other metadata', { ...hinted('shop'), b: 2 }, 'shop', { b: 2 }],
    ['an empty iii', { iii: {} }, undefined, undefined],
    ['an empty iii among other metadata', { iii: {}, b: 2 }, undefined, { b: 2 }],
  ];
  for (const [what, metadata, group, left] of forms)
    test(`is taken out and read from ${what}`, () => {
      const before = structuredClone(metadata);
      assert.deepEqual(takeHint(metadata), { group, metadata: left });
      assert.deepEqual(metadata, before);
    });

  for (const metadata of [
    undefined,
    null,
    'generatedWorker',
    7,
    [],
    [hinted('shop')],
    {},
    { generatedWorker: 'shop' },
    { iii: 'generatedWorker' },
    { iii: null },
    { iii: ['generatedWorker'] },
    { iii: { a: { generatedWorker: 'shop' } } },
    { III: { generatedWorker: 'shop' } },
  ])
    test(`is not in ${JSON.stringify(metadata)}, which stays as it is`, () => {
      const taken = takeHint(metadata);
      assert.equal(taken.metadata, metadata);
      assert.equal(taken.group, undefined);
    });
});
