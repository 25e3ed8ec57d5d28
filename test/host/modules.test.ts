// The door through which an actor module comes in: each mistake has a name, and no message says where the module lies.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { GreenroomError } from '../../lib/errors.ts';
import { loadActor } from '../../lib/host/modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'greenroom-modules-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

/** URL of a module with this text; `v` is valibot. */
function moduleOf(text: string): string {
  const file = join(folder, `actor-${++files}.mjs`);
  writeFileSync(file, `import * as v from ${JSON.stringify(import.meta.resolve('valibot'))};\n${text}\n`);
  return pathToFileURL(file).href;
}

const withDefinition = (rest: string): string =>
  moduleOf(`export default { kind: 'a', input: v.string(), receive: () => null, ${rest} };`);

async function refusalOf(module: string): Promise<string> {
  try {
    await loadActor(module);
  } catch (thrown) {
    assert.ok(thrown instanceof GreenroomError && thrown.code === 'invalid_actor', String(thrown));
    assert.doesNotMatch(thrown.message, /greenroom-modules|file:|\n/);
    return thrown.message;
  }
  return 'loaded';
}

describe('loadActor', () => {
  test('returns the default export itself, every key of it allowed', async () => {
    const url = moduleOf(`export default {
      kind: 'full', description: 'd', config: v.string(), input: v.string(), output: v.string(),
      mailbox: { capacity: 0, maxBytes: 1 }, isolation: 'shared', restart: { policy: 'permanent' }, onInterrupt: 'retry',
      durability: 'volatile',
      state: () => null, stateVersion: 3, migrate: () => null, receive: () => '', stopped: () => undefined,
      functions: { f: { description: 'd', input: v.string(), output: v.string(), run: () => '' } },
    };`);
    const definition = await loadActor(url);
    assert.equal(definition, ((await import(url)) as { default: unknown }).default);
    assert.equal(definition.kind, 'full');
  });

  test('returns an actor with no more than a kind, an input and a receive', async () => {
    const { kind, mailbox, restart } = await loadActor(withDefinition(''));
    assert.deepEqual({ kind, mailbox, restart }, { kind: 'a', mailbox: undefined, restart: undefined });
  });

  for (const [name, text] of Object.entries({
    'a syntax error': 'export default {{',
    'an import that is missing': `import '/srv/secret/nothing.js'; export default 1;`,
    'a package that is missing': `import 'greenroom-has-no-such-package'; export default 1;`,
    'a throw': `throw new TypeError('at /srv/secret/place.json');`,
    'a throw of nothing': 'throw undefined;',
    'a rejection': `await Promise.reject(new Error('no'));`,
  })) {
    test(`refuses a module that cannot be loaded, without a path: ${name}`, async () => {
      const refusal = await refusalOf(moduleOf(text));
      assert.match(refusal, /^it cannot be loaded: \w+: /);
      assert.doesNotMatch(refusal, /secret/);
    });
  }

  test('refuses a module that is not there', async () => {
    assert.match(
      await refusalOf(pathToFileURL(join(folder, 'none.mjs')).href),
      /^it cannot be loaded: Error: Cannot find module '<path>'/,
    );
  });

  test('refuses a module without a default export', async () => {
    assert.equal(await refusalOf(moduleOf('export const actor = 1;')), 'it has no default export');
  });

  for (const value of ['null', '1', `'text'`, '() => 1']) {
    test(`refuses a default export that is no definition: ${value}`, async () => {
      assert.match(await refusalOf(moduleOf(`export default ${value};`)), /^the default export: Invalid type: /);
    });
  }

  const problems: [rest: string, problem: string | RegExp][] = [
    [`kind: undefined`, /^kind: /],
    [`kind: ''`, 'kind: must be 1 to 128 characters of A-Z a-z 0-9 . _ : -'],
    [`kind: 'x'.repeat(129)`, 'kind: must be 1 to 128 characters of A-Z a-z 0-9 . _ : -'],
    [`kind: 'a b'`, 'kind: must be 1 to 128 characters of A-Z a-z 0-9 . _ : -'],
    [`input: undefined`, /^input: /],
    [`input: { type: 'string' }`, 'input: must be a valibot schema'],
    [`input: v.email()`, 'input: must be a valibot schema'],
    [`config: String`, 'config: must be a valibot schema'],
    [`output: null`, 'output: must be a valibot schema'],
    [`receive: 'later'`, 'receive: must be a function'],
    [`state: { total: 0 }`, 'state: must be a function'],
    [`stateVersion: 0`, 'stateVersion: must be at least 1: without versions, leave it out'],
    [`stateVersion: 1.5`, 'stateVersion: must be a whole number'],
    [`stateVersion: '1'`, 'stateVersion: must be a whole number'],
    [`stateVersion: 2 ** 31`, 'stateVersion: must be at most 2147483647'],
    [`stateVersion: 2, migrate: {}`, 'migrate: must be a function'],
    [`migrate: () => null`, 'migrate: is never called without a stateVersion'],
    [`stopped: true`, 'stopped: must be a function'],
    [`isolation: 'none'`, /^isolation: .*Expected \("shared" \| "dedicated" \| "process"\)/],
    [`restart: { policy: 'never' }`, /^restart\.policy: .*Expected \("permanent" \| "transient" \| "temporary"\)/],
    [`onInterrupt: 'again'`, /^onInterrupt: .*Expected \("unknown" \| "retry"\)/],
    [`durability: 'sometimes'`, /^durability: .*Expected \("durable" \| "volatile"\)/],
    [`mailbox: { size: 1 }`, /^mailbox\.size: /],
    [`mailbox: { capacity: '1' }`, /^mailbox\.capacity: /],
    [`recieve: () => null`, /^recieve: /],
    [`input: v.pipeAsync(v.string(), v.checkAsync(async () => true))`, 'input: asynchronous schemas are not supported'],
    [`config: v.objectAsync({})`, 'config: asynchronous schemas are not supported'],
    [`output: v.objectAsync({})`, 'output: asynchronous schemas are not supported'],
    [`functions: { 'a::b': {} }`, /^functions\.a::b: names of functions are 1 to 64 characters of A-Z a-z 0-9 \. _ -$/],
    [`functions: { f: { run: () => 1 } }`, /^functions\.f\.input: /],
    [`functions: { f: { input: v.string() } }`, /^functions\.f\.run: /],
    [
      `functions: { f: { input: v.string(), run: () => 1, output: 1 } }`,
      'functions.f.output: must be a valibot schema',
    ],
    [`functions: { f: { input: v.string(), run: () => 1, timeout: 1 } }`, /^functions\.f\.timeout: /],
    [
      `functions: { f: { input: v.objectAsync({}), run: () => 1 } }`,
      'functions.f.input: asynchronous schemas are not supported',
    ],
    [
      `kind: 'engine', functions: { f: { input: v.string(), run: () => 1 } }`,
      "functions: ids that begin with engine:: are the runtime's; choose another kind",
    ],
  ];
  for (const [rest, problem] of problems) {
    test(`names the key and what is wrong with it: ${rest}`, async () => {
      const refusal = await refusalOf(withDefinition(rest));
      if (typeof problem === 'string') assert.equal(refusal, problem);
      else assert.match(refusal, problem);
    });
  }

  test('takes a kind of 128 characters', async () => {
    assert.equal((await loadActor(withDefinition(`kind: 'x'.repeat(128)`))).kind.length, 128);
  });
});
