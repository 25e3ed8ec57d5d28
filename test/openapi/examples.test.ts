// Documents that others have published: whatever is in them, each operation is served or listed, and its schemas can be used.

import assert from 'node:assert/strict';
import { unpackText } from '../../lib/protocol/packed.ts';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { Validator } from '@cfworker/json-schema';
import fc from 'fast-check';
import { parse } from 'yaml';
import { readText } from './read.ts';

const FOLDER = path.dirname(createRequire(import.meta.url).resolve('@readme/oas-examples/package.json'));
const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']);

const files = ['2.0', '3.0', '3.1'].flatMap((version) =>
  readdirSync(path.join(FOLDER, version), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(json|yaml)$/.test(name))
    .map((name) => path.join(version, name)),
);

/** `GET /a` of everything that the document calls an operation. */
function labelsOf(document: { paths?: Record<string, object> }): string[] {
  return Object.entries(document.paths ?? {}).flatMap(([at, item]) =>
    Object.keys(item).flatMap((key) => (METHODS.has(key) ? [`${key.toUpperCase()} ${at}`] : [])),
  );
}

test('there are documents of every version in both formats', () => {
  const folders = new Set(files.map((file) => file.split(path.sep).slice(0, 2).join(' ')));
  assert.deepEqual([...folders].sort(), ['2.0 json', '2.0 yaml', '3.0 json', '3.0 yaml', '3.1 json', '3.1 yaml']);
});

for (const file of files) {
  test(`${file}: every operation is served or listed, and its schemas can be used`, async () => {
    const text = readFileSync(path.join(FOLDER, file), 'utf8');
    const { operations, unmapped } = await readText(text);
    const served = operations.map(({ operation }) => (JSON.parse(operation) as { label: string }).label);
    const lost = unmapped.filter(({ isServed }) => !isServed).map(({ operation }) => operation);
    // Paths that are references have operations that are not to be seen here.
    const known = new Set([...served, ...lost]);
    assert.equal(known.size, served.length + lost.length);
    assert.deepEqual(
      labelsOf(parse(text) as object).filter((label) => !known.has(label)),
      [],
    );
    for (const { requestFormat, responseFormat } of operations) {
      for (const format of [requestFormat, responseFormat ?? 'true']) {
        const validator = new Validator(JSON.parse(unpackText(format)) as object, '2020-12', false);
        for (const value of [{}, { path: {}, query: {}, body: {} }, [[]], 'text', null]) validator.validate(value);
      }
    }
  });
}

test('a document with anything in the place of anything is read or refused, and never breaks the reader', async () => {
  const whole = JSON.parse(readFileSync(path.join(FOLDER, '3.0/json/petstore.json'), 'utf8')) as object;
  const older = JSON.parse(readFileSync(path.join(FOLDER, '2.0/json/petstore.json'), 'utf8')) as object;
  const placesOf = (value: unknown, at: string[]): string[][] =>
    typeof value !== 'object' || value === null
      ? [at]
      : [at, ...Object.entries(value).flatMap(([key, member]) => placesOf(member, [...at, key]))];
  const odd = fc.constantFrom<unknown>(
    null,
    7,
    '',
    'x',
    [],
    [null],
    {},
    { $ref: '#' },
    { $ref: '#/paths' },
    [[]],
    [{}],
    true,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(whole, older),
      fc.array(fc.tuple(fc.nat(), odd), { minLength: 1, maxLength: 5 }),
      async (base, changes) => {
        const document = structuredClone(base);
        for (const [at, value] of changes) {
          const places = placesOf(document, []).slice(1);
          const place = places[at % Math.max(places.length, 1)] ?? ['paths'];
          const owner = place
            .slice(0, -1)
            .reduce<Record<string, unknown>>(
              (inner, key) => inner[key] as Record<string, unknown>,
              document as Record<string, unknown>,
            );
          owner[place.at(-1) as string] = structuredClone(value); // a later change may be made within it
        }
        const outcome = await readText(JSON.stringify(document)).catch((error: unknown) => error);
        const isRefusal = (outcome as { code?: unknown }).code === 'invalid_source';
        assert.ok(
          isRefusal || Array.isArray((outcome as { operations?: unknown }).operations),
          String((outcome as Error).stack),
        );
      },
    ),
    { numRuns: 300 },
  );
});
