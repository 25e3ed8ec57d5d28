// `greenroom source` as an operator sees it: what is printed, and the exit code. The runtime that it speaks to is the test's own.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { TOKEN } from '../server/support.ts';
import { startServed } from '../sources/served.ts';
import { Cli, freshDir, jsonLines, options, plainLines, run, started } from './harness.ts';

async function start(t: TestContext) {
  const served = await startServed(t);
  const dir = freshDir(t);
  mkdirSync(join(dir, '.greenroom'));
  writeFileSync(join(dir, '.greenroom', 'token'), TOKEN);
  const { host } = new URL(served.url);
  const source = async (...args: string[]) => {
    const cli = new Cli(t, ['source', ...args], { dir, environment: { GREENROOM_BIND: host } });
    const code = await cli.exit();
    return [code, ...cli.stdout, ...cli.stderr.map((line) => line.replaceAll(dir, '.'))];
  };
  return { ...served, dir, source };
}

describe('greenroom source', options, () => {
  test('adds, lists, refreshes and removes a source of the runtime that the environment names', async (t) => {
    const { source, place, sources, store } = await start(t);
    place('pets').unmapped = [
      { operation: 'GET /x', reason: 'No\u001b[31m way.', isServed: false },
      { operation: 'GET /y', reason: 'Half.', isServed: true },
    ];
    assert.deepEqual(await source('list'), [0]);
    const made = ['add', '--name', 'pets', '--type=fake', '--url', 'http://x', '--base-url=http://y', '--include', '*'];
    assert.deepEqual(await source(...made, '--exclude', 'no', '--exclude=nor', '--dry-run'), [
      0,
      'pets::one\tDoes one.',
      'pets::two\tDoes two.',
      'left out: GET /x: No [31m way.',
      'in part: GET /y: Half.',
    ]);
    assert.equal(sources.counts.total, 0);
    const line = 'pets\tfake\tavailable\t2 functions';
    assert.deepEqual(await source(...made, '--exclude', 'no', '--exclude=nor'), [
      0,
      `${line}\t2 added, 0 changed, 0 removed`,
      'left out: GET /x: No [31m way.',
      'in part: GET /y: Half.',
    ]);
    assert.deepEqual(place('pets').definition, {
      name: 'pets',
      type: 'fake',
      include: ['*'],
      exclude: ['no', 'nor'],
      isFromOperator: false,
      settings: { url: 'http://x', base_url: 'http://y' },
    });
    assert.deepEqual(await source('list'), [0, `${line}\t2 added, 0 changed, 0 removed`]);
    const [code, json] = await source('list', '--json');
    assert.deepEqual(
      [code, (JSON.parse(String(json)) as { sources: { created_at: string }[] }).sources.length],
      [0, 1],
    );
    place('pets').functions = { one: 2 };
    place('pets').unmapped = [];
    assert.deepEqual(await source('refresh', 'pets'), [
      0,
      'pets\tfake\tavailable\t1 functions\t0 added, 1 changed, 1 removed',
    ]);
    assert.deepEqual(await source('remove', 'pets'), [0, 'pets\tremoved']);
    assert.deepEqual([sources.counts.total, [...store.sources()]], [0, []]);
  });

  test('sends a file as the document, and what else the type is to know', async (t) => {
    const { source, place, dir } = await start(t);
    writeFileSync(join(dir, 'pets.yaml'), 'openapi: 3.1.0\n');
    writeFileSync(join(dir, 'more.json'), '{"auth":{"key":{"variable":"NAME"}},"name":"other"}');
    const [code] = await source('add', '--name=a', '--type=fake', '--file=pets.yaml', '--settings', 'more.json');
    assert.equal(code, 0);
    assert.deepEqual(place('a').definition?.settings, {
      document: 'openapi: 3.1.0\n',
      auth: { key: { variable: 'NAME' } },
    });
  });

  test('says in one line what is wrong, with exit code 1', async (t) => {
    const { source, dir } = await start(t);
    writeFileSync(join(dir, 'list.json'), '[]');
    writeFileSync(join(dir, 'bad.json'), '{');
    const refused: [args: string[], message: string][] = [
      [['remove', 'a'], 'There is no source of that name. (not_found)'],
      [
        ['add', '--name=a b', '--type=fake'],
        'The request is not valid. (invalid_request); name expected 1 to 128 of A-Z a-z 0-9 . _ : - without ::, and not . or ..',
      ],
      [['add', '--name=a', '--file=nope'], 'nope: cannot be read (ENOENT)'],
      [['add', '--name=a', '--settings=list.json'], 'list.json: must hold a JSON object'],
      [['add', '--name=a', '--settings=bad.json'], 'bad.json: is not valid JSON'],
      [['list', '--runtime=http://127.0.0.1:9'], 'The connection to the runtime failed. (runtime_unavailable)'],
      [['list', '--token-file=nope'], 'tokenFile cannot be read. (invalid_option)'],
      [['inspect', 'nope'], 'nope: cannot be read (ENOENT)'],
      [['inspect', 'bad.json', '--type=soap'], 'The request is not valid. (invalid_request); type '],
    ];
    for (const [args, message] of refused) {
      const [code, line = '', ...more] = await source(...args);
      assert.deepEqual([code, more], [1, []], String(line));
      assert.ok(String(line).startsWith(`greenroom: ${message}`), `${String(line)}\n${message}`);
    }
  });

  test('inspects a document without a runtime and without a network', async (t) => {
    const { source, dir } = await start(t);
    const document = {
      openapi: '3.1.0',
      info: { title: 'Pets', version: '1' },
      servers: [{ url: 'https://pets.invalid/v1' }],
      paths: {
        '/pets': {
          get: { operationId: 'listPets', summary: 'Lists them.', responses: {} },
          post: { operationId: 'addPet', responses: {} },
        },
      },
    };
    writeFileSync(join(dir, 'pets.json'), JSON.stringify(document));
    const [code, ...lines] = await source('inspect', 'pets.json', '--name=pets', '--include', 'list*');
    assert.deepEqual([code, lines], [0, ['pets::listPets\tLists them.']]);
    const [, json] = await source('inspect', 'pets.json', '--json', '--exclude', 'list*');
    const { functions, title } = JSON.parse(String(json)) as { functions: { function_id: string }[]; title: string };
    assert.deepEqual([title, functions.map(({ function_id }) => function_id)], ['Pets', ['source::addPet']]);
    writeFileSync(join(dir, 'broken.yaml'), 'openapi: [');
    const [failed, line] = await source('inspect', 'broken.yaml');
    assert.equal(failed, 1);
    assert.match(String(line), /^greenroom: .*\(invalid_source\)/);
  });

  test('is used wrongly with exit code 2', async (t) => {
    const cases: [args: string[], message: RegExp][] = [
      [['source'], /a command is needed/],
      [['source', 'add'], /required option '--name <NAME>' not specified/],
      [
        ['source', 'add', '--name=a', '--url=x', '--file=y'],
        /'--file <FILE>' cannot be used with option '--url <URL>'/,
      ],
      [['source', 'remove'], /missing required argument 'NAME'/],
      [['source', 'list', '--config=nope'], /--config: nope cannot be read/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await run(t, args);
      assert.deepEqual([code, stdout, stderr.length], [2, [], 1], args.join(' '));
      assert.match(stderr[0] ?? '', message);
    }
  });
});

describe('greenroom start', options, () => {
  test('does not start with a source that is not valid, and says which', async (t) => {
    const dir = freshDir(t);
    writeFileSync(join(dir, 'g.json'), JSON.stringify({ sources: [{ name: 'a::b', type: 'openapi' }] }));
    const cli = new Cli(t, started('--config=g.json'), { dir });
    assert.equal(await cli.exit(), 1);
    assert.match(plainLines(cli.stderr).join('\n'), /^greenroom: sources\[0\] \(a::b\): .*name expected 1 to 128/);
    assert.deepEqual([cli.stdout, jsonLines(cli.stderr).some(({ level }) => level === 'error')], [[], false]);
  });

  test('takes sources from the file alone, as a list of objects', async (t) => {
    for (const sources of [{}, [1]]) {
      const dir = freshDir(t);
      writeFileSync(join(dir, 'g.json'), JSON.stringify({ sources }));
      const cli = new Cli(t, started('--config=g.json'), { dir });
      assert.equal(await cli.exit(), 2);
      assert.match(cli.stderr.join('\n'), /^greenroom: sources(\[0\])? in g\.json must be an? /);
    }
  });
});
