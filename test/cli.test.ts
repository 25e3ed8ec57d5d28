// The process as an operator sees it: what is on stdout, what on stderr, and the exit code.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import {
  call,
  Cli,
  COUNTER,
  DEADLINE_MS,
  freshDir,
  jsonLines,
  moduleFile,
  options,
  PATIENT,
  plainLines,
  run,
  started,
} from './cli/harness.ts';
import type { Ready } from './cli/harness.ts';

describe('start', options, () => {
  test('prints one ready line with the bound address and serves there', async (t) => {
    const cli = new Cli(t, started('--runtime-id', 'r1'));
    const ready = await cli.ready();
    const { url, version, pid } = ready;
    assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.deepEqual(ready, {
      event: 'ready',
      url,
      runtime_id: 'r1',
      pid,
      token_file: join(cli.dir, '.greenroom', 'token'),
      version,
    });
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    assert.equal((await call(ready, 'GET', '/v1/runtime')).status, 200);
    assert.equal((await fetch(`${url}/v1/runtime`)).status, 401);
    cli.kill('SIGTERM');
    assert.equal(await cli.exit(), 0);
    assert.equal(cli.stdout.length, 1);
  });

  test('listens on IPv6', async (t) => {
    const cli = new Cli(t, ['start', '--bind=[::1]:0', '--hosts', '0']);
    const { url } = await cli.ready();
    assert.match(url, /^http:\/\/\[::1\]:[1-9]\d*$/);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
  });

  test('prints three curl lines that work as pasted', async (t) => {
    if (spawnSync('curl', ['--version']).status !== 0) return t.diagnostic('not tested: curl is not installed');
    const cli = new Cli(t, started('--actors', COUNTER, '--data-dir', "it's a dir"));
    await cli.ready();
    await cli.line('stderr', /transcript/);
    const lines = plainLines(cli.stderr);
    const answers = lines.map(
      (line) => spawnSync('sh', ['-c', line], { encoding: 'utf8', timeout: DEADLINE_MS }).stdout,
    );
    assert.equal(lines.length, 3);
    const [created, fed, read] = answers.map((answer) => JSON.parse(answer) as Record<string, Record<string, unknown>>);
    assert.equal(created?.['worker']?.['worker_id'], 'c1');
    assert.equal(fed?.['result']?.['output'], 2);
    assert.equal((read?.['transcript']?.['items'] as unknown[]).length > 0, true);
  });

  test('prints no curl lines when the actor for them is not loaded', async (t) => {
    const cli = new Cli(t, started('--actors', PATIENT));
    await cli.ready();
    cli.kill('SIGTERM');
    await cli.exit();
    assert.deepEqual(plainLines(cli.stderr), []);
  });

  test('warns of variables that are not options, by name and without the value', async (t) => {
    const cli = new Cli(t, started(), {
      environment: { GREENROOM_TOKEN: 'do-not-print-this', GREENROOM_LOG_LEVEL: 'warn' },
    });
    await cli.ready();
    cli.kill('SIGTERM');
    assert.equal(await cli.exit(), 0);
    assert.deepEqual(
      jsonLines(cli.stderr).map(({ level, variables }) => ({ level, variables })),
      [{ level: 'warn', variables: ['GREENROOM_TOKEN'] }],
    );
    assert.doesNotMatch(cli.stderr.join(), /do-not-print-this/);
  });

  test('reads the tokens of gateway credentials from where the file says, and prints none of them', async (t) => {
    const gateway = { credentials: [{ name: 'ci', tokenVariable: 'GREENROOM_CI_TOKEN' }] };
    const environment = { GREENROOM_LOG_LEVEL: 'debug', GREENROOM_CI_TOKEN: 'do-not-print-this' };
    const file = join(freshDir(t), 'greenroom.json');
    writeFileSync(file, JSON.stringify({ gateway }));
    const args = ['--config', file];
    const cli = new Cli(t, started(...args), { environment });
    await cli.ready();
    cli.kill('SIGTERM');
    assert.equal(await cli.exit(), 0);
    assert.doesNotMatch([...cli.stderr, ...cli.stdout].join(), /do-not-print-this|GREENROOM_CI_TOKEN/);
    const { code, stdout, stderr } = await run(t, started(...args));
    assert.deepEqual(
      { code, stdout, stderr: plainLines(stderr) },
      {
        code: 1,
        stdout: [],
        stderr: ['greenroom: the gateway credential ci: the variable GREENROOM_CI_TOKEN is not set'],
      },
    );
  });

  test('says in one line that the port is in use and exits with 1', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stdout, stderr } = await run(t, ['start', '--hosts=1', '--bind', `127.0.0.1:${port}`]);
    assert.deepEqual(
      { code, stdout, stderr: plainLines(stderr) },
      { code: 1, stdout: [], stderr: [`greenroom: cannot listen on 127.0.0.1:${port}: the port is in use`] },
    );
  });

  test('says in one line that an actor cannot be loaded and exits with 1', async (t) => {
    for (const actors of [moduleFile('throws-at-load'), '/nonexistent/actors']) {
      const { code, stdout, stderr } = await run(t, started('--actors', actors));
      assert.deepEqual({ code, stdout, lines: plainLines(stderr).length }, { code: 1, stdout: [], lines: 1 });
      assert.doesNotMatch(plainLines(stderr).join(), /settings\.json|\n\s+at /);
    }
  });
});

describe('a signal', options, () => {
  /** A runtime with a worker whose running input ends only when it is cancelled. */
  async function busy(t: TestContext, ...flags: string[]): Promise<{ cli: Cli; ready: Ready }> {
    const cli = new Cli(t, started('--actors', PATIENT, ...flags));
    const ready = await cli.ready();
    assert.equal((await call(ready, 'POST', '/v1/workers', { kind: 'patient', worker_id: 'p1' })).status, 201);
    assert.equal((await call(ready, 'POST', '/v1/workers/p1/input', {})).status, 202);
    return { cli, ready };
  }

  const NOTHING_LEFT = { finished: 0, refused: 0, cancelled: 0, killed: 0, kept: 0, unclean: [], unclean_total: 0 };

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} ends an idle runtime with exit code 0 and a report`, async (t) => {
      const cli = new Cli(t, started());
      await cli.ready();
      cli.kill(signal);
      assert.equal(await cli.exit(), 0);
      const { level, time, ...report } = jsonLines(cli.stderr).at(-1) ?? {};
      assert.deepEqual([level, typeof time, report], ['info', 'string', { message: 'stopped', ...NOTHING_LEFT }]);
    });
  }

  test('drains for as long as it may, then cancels what is left', async (t) => {
    const { cli } = await busy(t, '--drain-ms=50');
    cli.kill('SIGTERM');
    assert.equal(await cli.exit(), 0);
    assert.equal(jsonLines(cli.stderr).at(-1)?.['cancelled'], 1);
  });

  test('is not needed after a drain over REST: it is answered, names who was not clean, and the process ends with 0', async (t) => {
    const { cli, ready } = await busy(t);
    const response = await call(ready, 'POST', '/v1/runtime/drain', { deadline_ms: 50 });
    const { report } = response.body as { report: { cancelled: number; unclean: unknown[] } };
    assert.deepEqual([response.status, report.cancelled], [200, 1]);
    assert.deepEqual(report.unclean, [{ worker_id: 'p1', reason: 'cancelled' }]);
    assert.equal(await cli.exit(), 0);
  });

  test('makes readyz say 503 while the runtime drains, and a second one ends it at once', async (t) => {
    const { cli, ready } = await busy(t, '--drain-ms=60000');
    cli.kill('SIGTERM');
    await cli.line('stderr', /"message":"draining"/);
    assert.equal((await fetch(`${ready.url}/readyz`)).status, 503);
    cli.kill('SIGINT');
    assert.equal(await cli.exit(), 1);
    assert.deepEqual(plainLines(cli.stderr), ['greenroom: SIGINT while draining: ended at once']);
  });
});

describe('usage', options, () => {
  const mistakes: [args: string[], line: string][] = [
    [
      [],
      'a command is needed: start, check-actor, source, replay, backup, restore, compact, fsck or openapi; see --help',
    ],
    [['stop'], "unknown command 'stop'"],
    [['start', '--hots', '1'], "unknown option '--hots' (Did you mean --hosts?)"],
    [['start', '--hosts'], "option '--hosts <N>' argument missing"],
    [['start', '--hosts=two'], '--hosts must be a whole number of at least 0, not "two" (string)'],
    [['start', '--cancel-grace-ms', '0'], '--cancel-grace-ms must be a whole number of at least 1, not 0 (number)'],
    [['start', '--store', 'disk'], '--store must be memory or lmdb, not "disk" (string)'],
    [['start', '--config', 'nope.json'], '--config: nope.json cannot be read (ENOENT)'],
    [['start', 'counter.js'], "too many arguments for 'start'. Expected 0 arguments but got 1."],
    [['check-actor'], "missing required argument 'FILE'"],
  ];
  for (const [args, line] of mistakes) {
    test(`greenroom ${args.join(' ')} exits with 2 and one line that says why`, async (t) => {
      assert.deepEqual(await run(t, args), { code: 2, stdout: [], stderr: [`greenroom: ${line}`] });
    });
  }

  test('names a variable when the variable is wrong', async (t) => {
    const { code, stderr } = await run(t, ['start'], { GREENROOM_DRAIN_MS: 'soon' });
    assert.deepEqual(
      [code, stderr],
      [2, ['greenroom: GREENROOM_DRAIN_MS must be a whole number from 0 to 86400000, not "soon" (string)']],
    );
  });

  test('--help and --version print to stdout and exit with 0', async (t) => {
    const version = await run(t, ['--version']);
    assert.deepEqual([version.code, version.stderr, version.stdout.length], [0, [], 1]);
    const help = await run(t, ['start', '--help']);
    assert.deepEqual([help.code, help.stderr], [0, []]);
    for (const flag of [
      '--bind',
      '--token-file',
      '--gateway',
      '--max-message-bytes',
      '--restart-window-ms',
      '--config',
    ])
      assert.ok(help.stdout.join('\n').includes(`  ${flag} `), flag);
  });
});

describe('check-actor', options, () => {
  test('says ok and the kind of a valid actor', async (t) => {
    assert.deepEqual(await run(t, ['check-actor', COUNTER]), { code: 0, stdout: ['ok: counter'], stderr: [] });
  });

  const broken: [name: string, says: RegExp][] = [
    ['throws-at-load', /no settings at <path>/],
    ['no-default-export', /no default export/],
    ['unknown-key', /colour/],
    ['exits-at-load', /exit/],
  ];
  for (const [name, says] of broken) {
    test(`says in one line what is wrong with a module: ${name}`, async (t) => {
      const { code, stdout, stderr } = await run(t, ['check-actor', moduleFile(name)]);
      assert.deepEqual({ code, stdout, lines: stderr.length }, { code: 1, stdout: [], lines: 1 });
      assert.ok(stderr[0]?.startsWith(`greenroom: ${moduleFile(name)}: `), stderr[0]);
      assert.match(stderr[0] ?? '', says);
    });
  }

  test('says that a file is not there', async (t) => {
    assert.deepEqual(await run(t, ['check-actor', 'nope.js']), {
      code: 1,
      stdout: [],
      stderr: ['greenroom: nope.js: there is no such file'],
    });
  });
});

test('an error that nobody caught ends the process with one line and exit code 1', () => {
  const say = new URL('../lib/cli/say.js', import.meta.url).href;
  for (const fatal of [
    'Promise.reject(new Error("lost /srv/x"))',
    'setImmediate(() => { throw new Error("lost /srv/x") })',
  ]) {
    const script = `import { exitOnFatal } from ${JSON.stringify(say)}; exitOnFatal(); setInterval(() => {}, 1000); ${fatal};`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      timeout: DEADLINE_MS,
    });
    assert.deepEqual({ status, stderr }, { status: 1, stderr: 'greenroom: Error: lost <path>\n' });
  }
});

describe('openapi', options, () => {
  test('prints the document of the REST API', async (t) => {
    const { code, stdout, stderr } = await run(t, ['openapi']);
    assert.deepEqual([code, stderr], [0, []]);
    const { openapi, paths } = JSON.parse(stdout.join('\n')) as { openapi: string; paths: object };
    assert.equal(openapi, '3.1.0');
    assert.ok('/v1/workers' in paths);
  });
});
