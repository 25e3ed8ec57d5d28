// Every style, exploded and not, for every kind of value: the exact text, from the tables of RFC 6570 and OpenAPI 3.1.1.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ParameterStyle } from '../../lib/openapi/operation.ts';
import { encodeReserved, encodeStrictly, expand, pairsOf } from '../../lib/openapi/styles.ts';

const EMPTY = '';
const TEXT = 'blue';
const LIST = ['blue', 'black', 'brown'];
const OBJECT = { R: 100, G: 200, B: 150 };

/** Columns: empty text, text, list, object. */
type Row = readonly [
  style: ParameterStyle,
  explode: boolean,
  empty: string,
  text: string,
  list: string,
  object: string,
];

const IN_PATH: readonly Row[] = [
  ['simple', false, '', 'blue', 'blue,black,brown', 'R,100,G,200,B,150'],
  ['simple', true, '', 'blue', 'blue,black,brown', 'R=100,G=200,B=150'],
  ['label', false, '.', '.blue', '.blue,black,brown', '.R,100,G,200,B,150'],
  ['label', true, '.', '.blue', '.blue.black.brown', '.R=100.G=200.B=150'],
  ['matrix', false, ';color', ';color=blue', ';color=blue,black,brown', ';color=R,100,G,200,B,150'],
  ['matrix', true, ';color', ';color=blue', ';color=blue;color=black;color=brown', ';R=100;G=200;B=150'],
];

const IN_QUERY: readonly Row[] = [
  ['form', false, 'color=', 'color=blue', 'color=blue,black,brown', 'color=R,100,G,200,B,150'],
  ['form', true, 'color=', 'color=blue', 'color=blue&color=black&color=brown', 'R=100&G=200&B=150'],
  ['spaceDelimited', false, 'color=', 'color=blue', 'color=blue%20black%20brown', 'color=R%20100%20G%20200%20B%20150'],
  ['spaceDelimited', true, 'color=', 'color=blue', 'color=blue&color=black&color=brown', 'R=100&G=200&B=150'],
  ['pipeDelimited', false, 'color=', 'color=blue', 'color=blue%7Cblack%7Cbrown', 'color=R%7C100%7CG%7C200%7CB%7C150'],
  ['pipeDelimited', true, 'color=', 'color=blue', 'color=blue&color=black&color=brown', 'R=100&G=200&B=150'],
  [
    'deepObject',
    true,
    'color=',
    'color=blue',
    'color%5B0%5D=blue&color%5B1%5D=black&color%5B2%5D=brown',
    'color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150',
  ],
];

const query = (style: ParameterStyle, explode: boolean, value: unknown, encode = encodeStrictly): string =>
  pairsOf({ name: 'color', style, explode }, value, encode, 'query.color')
    .map(([name, text]) => `${name}=${text}`)
    .join('&');

const path = (style: ParameterStyle, explode: boolean, value: unknown): string | null =>
  expand({ name: 'color', style, explode }, value, encodeStrictly, 'path.color');

for (const [style, explode, ...texts] of IN_PATH) {
  test(`${style}${explode ? ', exploded,' : ''} in a path is what the tables say`, () => {
    assert.deepEqual(
      [EMPTY, TEXT, LIST, OBJECT].map((value) => path(style, explode, value)),
      texts,
    );
  });
}

for (const [style, explode, ...texts] of IN_QUERY) {
  test(`${style}${explode ? ', exploded,' : ''} in a query is what the tables say`, () => {
    assert.deepEqual(
      [EMPTY, TEXT, LIST, OBJECT].map((value) => query(style, explode, value)),
      texts,
    );
  });
}

test('the examples of RFC 6570 come out as it has them', () => {
  const vars: Record<string, unknown> = {
    count: ['one', 'two', 'three'],
    dom: ['example', 'com'],
    dub: 'me/too',
    hello: 'Hello World!',
    half: '50%',
    var: 'value',
    who: 'fred',
    base: 'http://example.com/home/',
    path: '/foo/bar',
    list: ['red', 'green', 'blue'],
    keys: { semi: ';', dot: '.', comma: ',' },
    v: 6,
    x: 1024,
    y: 768,
    empty: '',
    empty_keys: {},
    undef: null,
  };
  const inPath = (name: string, style: ParameterStyle, explode = false): string =>
    expand({ name, style, explode }, vars[name], encodeStrictly, name) ?? '';
  const inQuery = (name: string, explode = false, encode = encodeStrictly): string =>
    pairsOf({ name, style: 'form', explode }, vars[name], encode, name)
      .map((pair) => pair.join('='))
      .join('&');
  const examples: readonly (readonly [string, string])[] = [
    [inPath('var', 'simple'), 'value'],
    [inPath('hello', 'simple'), 'Hello%20World%21'],
    [inPath('half', 'simple'), '50%25'],
    [inPath('dub', 'simple'), 'me%2Ftoo'],
    [inPath('empty', 'simple'), ''],
    [inPath('undef', 'simple'), ''],
    [inPath('list', 'simple', true), 'red,green,blue'],
    [inPath('keys', 'simple'), 'semi,%3B,dot,.,comma,%2C'],
    [inPath('keys', 'simple', true), 'semi=%3B,dot=.,comma=%2C'],
    [inPath('who', 'label'), '.fred'],
    [inPath('half', 'label'), '.50%25'],
    [inPath('dom', 'label', true), '.example.com'],
    [inPath('list', 'label'), '.red,green,blue'],
    [inPath('keys', 'label'), '.semi,%3B,dot,.,comma,%2C'],
    [inPath('keys', 'label', true), '.semi=%3B.dot=..comma=%2C'],
    [inPath('empty_keys', 'label', true), ''],
    [inPath('who', 'matrix'), ';who=fred'],
    [inPath('half', 'matrix'), ';half=50%25'],
    [inPath('empty', 'matrix'), ';empty'],
    [inPath('undef', 'matrix'), ''],
    [inPath('count', 'matrix'), ';count=one,two,three'],
    [inPath('list', 'matrix', true), ';list=red;list=green;list=blue'],
    [inPath('keys', 'matrix'), ';keys=semi,%3B,dot,.,comma,%2C'],
    [inPath('keys', 'matrix', true), ';semi=%3B;dot=.;comma=%2C'],
    [inQuery('who'), 'who=fred'],
    [inQuery('half'), 'half=50%25'],
    [inQuery('empty'), 'empty='],
    [inQuery('undef'), ''],
    [inQuery('list'), 'list=red,green,blue'],
    [inQuery('list', true), 'list=red&list=green&list=blue'],
    [inQuery('keys'), 'keys=semi,%3B,dot,.,comma,%2C'],
    [inQuery('keys', true), 'semi=%3B&dot=.&comma=%2C'],
    [inQuery('path', false, encodeReserved), 'path=/foo/bar'],
    [inQuery('base', false, encodeReserved), 'base=http://example.com/home/'],
    [inQuery('hello', false, encodeReserved), 'hello=Hello%20World!'],
    [inQuery('half', false, encodeReserved), 'half=50%25'],
  ];
  for (const [written, expected] of examples) assert.equal(written, expected);
});

test('every byte but unreserved ones is encoded, in UTF-8', () => {
  const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).join('');
  assert.equal(
    encodeStrictly(ascii).replace(/%[0-9A-F]{2}/g, ''),
    '-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~',
  );
  assert.equal(decodeURIComponent(encodeStrictly(ascii)), ascii);
  assert.equal(encodeStrictly('é€😀\ud800'), '%C3%A9%E2%82%AC%F0%9F%98%80%EF%BF%BD');
});

test('reserved characters and triplets pass where they may, and nothing ends the query', () => {
  assert.equal(encodeReserved(":/?#[]@!$&'()*+,;="), ":/?%23[]@!$&'()*+,;=");
  assert.equal(encodeReserved('100% %41 %zz é'), '100%25%20%41%20%25zz%20%C3%A9');
});

test('what is null is not there, and lists and objects of nothing are not there either', () => {
  const nothing: unknown[] = [null, undefined, [], {}, [null], { a: null }];
  for (const value of nothing) {
    for (const [style, explode] of IN_QUERY) assert.equal(query(style, explode, value), '', `${style} ${explode}`);
    for (const [style, explode] of IN_PATH) assert.equal(path(style, explode, value), null, `${style} ${explode}`);
  }
  assert.equal(query('form', true, ['a', null, 'b']), 'color=a&color=b');
  assert.equal(query('form', false, { a: null, b: true, c: 1e21 }), 'color=b,true,c,1e%2B21');
});

test('names are encoded as values are', () => {
  const layout = { name: 'filter[a b]', style: 'form', explode: false } as const;
  assert.deepEqual(pairsOf(layout, 'x', encodeReserved, ''), [['filter%5Ba%20b%5D', 'x']]);
  assert.equal(query('form', true, { 'a&b': '=' }), 'a%26b=%3D');
  assert.equal(
    query('deepObject', true, { 'a]': { b: [1, { c: 2 }] } }),
    'color%5Ba%5D%5D%5Bb%5D%5B0%5D=1&color%5Ba%5D%5D%5Bb%5D%5B1%5D%5Bc%5D=2',
  );
});

test('what a style has no place for is refused by its path', () => {
  const refused = (run: () => unknown, at: string): void =>
    void assert.throws(run, (error: { code: string; details: { issues: { path: string }[] } }) => {
      assert.deepEqual([error.code, error.details.issues[0]?.path], ['invalid_input', at]);
      return true;
    });
  refused(() => query('form', false, [['a']]), 'query.color.0');
  refused(() => query('pipeDelimited', false, { a: {} }), 'query.color.a');
  refused(() => path('matrix', true, [{ a: 1 }]), 'path.color.0');
});
