// Functions over HTTP that are in the file of the configuration, as an operator sees them.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sendJson, serveHttp } from '../http/setup.ts';
import { call, Cli, freshDir, options, plainLines, started } from './harness.ts';

describe('functions in the file', options, () => {
  test('are served once the runtime is ready, with secrets from its environment', async (t) => {
    const { url } = await serveHttp(t, ({ headers, body }, response) =>
      sendJson(response, [headers['authorization'], JSON.parse(body)]),
    );
    const dir = freshDir(t);
    const auth = { type: 'bearer', token_key: 'MY_TOKEN' };
    const file = {
      http: { allowAddresses: ['127.0.0.0/8'], variables: ['MY_*'] },
      functions: { 'math::add': { url, auth } },
    };
    writeFileSync(join(dir, 'g.json'), JSON.stringify(file));
    const cli = new Cli(t, started('--config', 'g.json'), { dir, environment: { MY_TOKEN: 'the-token' } });
    const ready = await cli.ready();
    const { body } = await call(ready, 'POST', '/v1/functions/math::add/invoke', { a: 1 });
    assert.deepEqual(body, { result: { function_id: 'math::add', output: ['Bearer the-token', { a: 1 }] } });
    cli.kill('SIGTERM');
    assert.equal(await cli.exit(), 0);
    assert.doesNotMatch([...cli.stdout, ...cli.stderr].join('\n'), /the-token|MY_TOKEN/);
  });

  test('that cannot be registered end the start in one line that names them, with exit code 1 or 2', async (t) => {
    const cases: [unknown, RegExp, number][] = [
      [{ 'a::b': { url: 'http://127.0.0.1:1/' } }, /functions\["a::b"\]: The host of the URL/, 1],
      [{ 'a::b': { url: 'http://127.0.0.1:1/', verb: 'GET' } }, /functions\["a::b"\]: verb unknown key/, 1],
      [['a::b'], /functions in g\.json must be an object of functions by their ids/, 2],
    ];
    for (const [functions, line, code] of cases) {
      const dir = freshDir(t);
      writeFileSync(join(dir, 'g.json'), JSON.stringify({ functions }));
      const cli = new Cli(t, started('--config', 'g.json'), { dir });
      assert.equal(await cli.exit(), code);
      const lines = plainLines(cli.stderr);
      assert.equal(lines.length, 1);
      assert.match(lines.join(), line);
    }
  });
});
