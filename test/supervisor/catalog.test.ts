// What a runtime can start, from folders, modules and URLs; and what it says about a module that is wrong.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GreenroomError } from '../../lib/errors.ts';
import { DEFAULT_LIMITS, resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import { Catalog } from '../../lib/supervisor/catalog.ts';

const MiB = 1024 * 1024;
const FIXTURES = new URL('../fixtures/modules/', import.meta.url);
const fixture = (name: string): URL => new URL(`${name}.js`, FIXTURES);

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

/** A folder with these files; each text is the module's definition, with `schema` at hand. */
function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-catalog-'));
  folders.push(folder);
  for (const [name, definition] of Object.entries(files)) {
    const schema = `import * as v from ${JSON.stringify(import.meta.resolve('valibot'))};\nconst schema = v.string();\n`;
    writeFileSync(join(folder, name), `${schema}export default ${definition};\n`);
  }
  return folder;
}

const definitionOf = (kind: string, rest = ''): string =>
  `{ kind: '${kind}', input: schema, receive: () => null, ${rest} }`;
const load = (...sources: (string | URL)[]): Promise<Catalog> => Catalog.load(sources, DEFAULT_LIMITS);
const kindsOf = (catalog: Catalog): string[] => catalog.views().map(({ kind }) => kind);

async function refusalOf(sources: (string | URL)[], limits: Limits = DEFAULT_LIMITS): Promise<unknown> {
  try {
    await Catalog.load(sources, limits);
  } catch (thrown) {
    assert.ok(thrown instanceof GreenroomError, String(thrown));
    return thrown.toWire();
  }
  return 'loaded';
}

const invalidActor = (message: string) => ({ code: 'invalid_actor', message, retryable: false });

describe('a catalog', () => {
  test('loads the same module from a path, a relative path, a URL and the text of a URL', async () => {
    const url = fixture('counter');
    const path = fileURLToPath(url);
    for (const source of [url, url.href, path, relative(process.cwd(), path)]) {
      const catalog = await load(source);
      assert.deepEqual(kindsOf(catalog), ['counter']);
      assert.equal(catalog.require('counter').module, url.href);
    }
  });

  test('loads every module of a folder and nothing else that lies there', async () => {
    const folder = folderOf({
      'a.js': definitionOf('a'),
      'b c.mjs': definitionOf('b'),
      'd.cjs': 'neither',
      'e.d.ts': 'neither',
      'f.json': 'neither',
      'a.js.map': 'neither',
      README: 'neither',
    });
    assert.deepEqual(kindsOf(await load(folder)), ['a', 'b']);
  });

  test('is empty for no source and for an empty folder', async () => {
    assert.deepEqual([kindsOf(await load()), kindsOf(await load(folderOf({})))], [[], []]);
  });

  test('takes a module that two sources name once', async () => {
    const folder = folderOf({ 'a.mjs': definitionOf('a') });
    assert.deepEqual(kindsOf(await load(folder, join(folder, 'a.mjs'), `${folder}/`)), ['a']);
  });

  test('refuses two modules with the same kind, in one folder or in two', async () => {
    const [one, two] = [folderOf({ 'a.mjs': definitionOf('twin') }), folderOf({ 'b.mjs': definitionOf('twin') })];
    const both = folderOf({ 'a.mjs': definitionOf('twin'), 'b.mjs': definitionOf('twin') });
    for (const sources of [[one, two], [both]]) {
      assert.deepEqual(await refusalOf(sources), invalidActor('two actors have the kind twin'));
    }
  });

  test('refuses an actor that it has not, and cuts a kind that is long', async () => {
    const catalog = await load(fixture('counter'));
    for (const kind of ['echo', '__proto__', 'x'.repeat(1_000)]) {
      assert.throws(() => catalog.require(kind), {
        code: 'actor_not_found',
        message: `There is no actor of kind ${kind.slice(0, 128)}.`,
      });
    }
  });

  test('describes its actors with their schemas and bounds, in the order of their kinds', async () => {
    const folder = folderOf({
      'a.mjs': definitionOf('z'),
      'b.mjs': definitionOf('a', 'mailbox: { capacity: 0 }, output: v.number()'),
    });
    const plain = { description: null, configSchema: true, isolation: 'shared', durability: 'durable', functions: [] };
    const inputSchema = { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'string' };
    const outputSchema = { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'number' };
    assert.deepEqual((await load(folder)).views(), [
      {
        kind: 'a',
        ...plain,
        inputSchema,
        outputSchema,
        mailbox: { capacity: 0, maxBytes: 64 * MiB },
        idleAfterMs: 60_000,
      },
      {
        kind: 'z',
        ...plain,
        inputSchema,
        outputSchema: true,
        mailbox: { capacity: 1_024, maxBytes: 64 * MiB },
        idleAfterMs: 60_000,
      },
    ]);
  });

  test('leaves out of a JSON Schema what cannot be expressed there', async () => {
    const folder = folderOf({ 'a.mjs': definitionOf('a', `config: v.pipe(v.string(), v.check(() => true))`) });
    const [view] = (await load(folder)).views();
    assert.deepEqual(view?.configSchema, { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'string' });
  });
});

describe('a source that is wrong', () => {
  test('is named as it was given when there is nothing', async () => {
    const missing = './no/such/actors';
    assert.deepEqual(await refusalOf([missing]), invalidActor(`there is no actor folder or module ${missing}`));
  });

  test('is refused when it is a URL but not of a file', async () => {
    const url = new URL('https://example.com/actor.js');
    assert.deepEqual(await refusalOf([url]), invalidActor(`there is no actor folder or module ${url.href}`));
  });
});

describe('a broken module', () => {
  const problems = [
    ['no-default-export', 'it has no default export'],
    ['throws-at-load', 'it cannot be loaded: Error: no settings at <path>'],
    ['unknown-key', 'colour: Invalid key: Expected never but received "colour"'],
  ] as const;
  for (const [name, problem] of problems) {
    test(`is named without its path: ${name}`, async () => {
      assert.deepEqual(await refusalOf([fixture(name)]), invalidActor(`actor module ${name}.js: ${problem}`));
    });
  }

  test('is named without its path when it cannot even be parsed or its imports are missing', async () => {
    const folder = folderOf({ 'a.mjs': '{{', 'b.mjs': '(await import("/secret/place.js")).default' });
    for (const name of ['a.mjs', 'b.mjs']) {
      const refusal = (await refusalOf([join(folder, name)])) as { code: string; message: string };
      assert.equal(refusal.code, 'invalid_actor');
      assert.ok(refusal.message.startsWith(`actor module ${name}: it cannot be loaded: `), refusal.message);
      assert.doesNotMatch(refusal.message, /greenroom-catalog|secret|file:/);
    }
  });

  test('keeps the whole catalog from loading', async () => {
    const folder = folderOf({ 'a.mjs': definitionOf('a'), 'b.mjs': '{}' });
    assert.equal(((await refusalOf([folder])) as { code: string }).code, 'invalid_actor');
  });
});

describe('a mailbox that an actor asks for', () => {
  const capacity = 'mailbox.capacity must be a whole number of at least 0, not';
  const maxBytes = 'mailbox.maxBytes must be a whole number of at least 1, not';
  const contradictions = [
    ['capacity: -1', `${capacity} -1 (number)`, 'mailbox.capacity'],
    ['capacity: 1.5', `${capacity} 1.5 (number)`, 'mailbox.capacity'],
    ['capacity: Infinity', `${capacity} Infinity (number)`, 'mailbox.capacity'],
    ['maxBytes: 0', `${maxBytes} 0 (number)`, 'mailbox.maxBytes'],
    [
      'maxBytes: 16_777_215',
      'mailbox.maxBytes is 16777215, but must be at least maxMessageBytes (16777216)',
      'mailbox.maxBytes',
    ],
  ] as const;
  for (const [mailbox, problem, option] of contradictions) {
    test(`is refused with the option's name: ${mailbox}`, async () => {
      const folder = folderOf({ 'a.mjs': definitionOf('a', `mailbox: { ${mailbox} }`) });
      assert.deepEqual(await refusalOf([folder]), {
        code: 'invalid_option',
        message: `actor module a.mjs: ${problem}`,
        retryable: false,
        details: { option },
      });
    });
  }

  for (const mailbox of [`{ capacity: '1' }`, '{ capacity: NaN }', '{ size: 3 }', '3']) {
    test(`is refused as no mailbox at all: ${mailbox}`, async () => {
      const folder = folderOf({ 'a.mjs': definitionOf('a', `mailbox: ${mailbox}`) });
      const { code, message } = (await refusalOf([folder])) as { code: string; message: string };
      assert.equal(code, 'invalid_actor');
      assert.match(message, /^actor module a\.mjs: mailbox/);
    });
  }

  test('has room for the largest message unless it says otherwise', async () => {
    const limits = resolveLimits({ maxMessageBytes: 100 * MiB });
    const folder = folderOf({ 'a.mjs': definitionOf('a', 'mailbox: { capacity: 7 }') });
    assert.deepEqual((await Catalog.load([folder], limits)).require('a').mailbox, { capacity: 7, maxBytes: 100 * MiB });
  });
});
