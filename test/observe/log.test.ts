// The log never holds a secret, a payload, a stack or the path of an error, and loses no line at an exit.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { describeError, safeFields, silentLog } from '../../lib/observe/log.ts';
import type { LogLevel } from '../../lib/observe/log.ts';
import { createLog } from '../../lib/observe/pino.ts';

type Line = Record<string, unknown>;

function logTo(level: LogLevel) {
  const lines: Line[] = [];
  const log = createLog({ level, destination: { write: (line) => void lines.push(JSON.parse(line) as Line) } });
  return { log, lines };
}

/** The message of an error as the log would have it. */
const messageOf = (message: string): string => describeError(new Error(message)).error_message;

describe('a line', () => {
  test('has a level, a time in UTC with milliseconds, its fields and its message, and nothing of the machine', () => {
    const { log, lines } = logTo('info');
    log.info({ worker_id: 'c1', restarts: 2 }, 'restarted');
    const [line] = lines;
    assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(lines, [
      { level: 'info', time: line?.['time'], worker_id: 'c1', restarts: 2, message: 'restarted' },
    ]);
  });

  test('below the level is not written, and at silent none is', () => {
    const warning = logTo('warn');
    warning.log.info({}, 'a');
    warning.log.warn({}, 'b');
    warning.log.error({}, 'c');
    assert.deepEqual(
      warning.lines.map(({ message }) => message),
      ['b', 'c'],
    );
    const silent = logTo('silent');
    silent.log.error({}, 'd');
    silentLog.error({}, 'e');
    assert.deepEqual(silent.lines, []);
  });

  test('cannot be forged by a field with the name of one of its own keys', () => {
    const { log, lines } = logTo('info');
    log.info({ level: 'error', time: 'never', message: 'forged\n{"level":"error"}' }, 'true');
    assert.deepEqual(
      [lines.length, lines[0]?.['level'], lines[0]?.['level_'], lines[0]?.['message']],
      [1, 'info', 'error', 'true'],
    );
  });

  test('is on stderr in full when the process exits at once after it', () => {
    const script = `import { createLog } from ${JSON.stringify(new URL('../../lib/observe/pino.js', import.meta.url).href)};
      const log = createLog({ level: 'info' });
      for (let i = 0; i < 500; i++) log.info({ i, text: 'x'.repeat(500) }, 'line');
      process.kill(process.pid, 'SIGKILL');`;
    const { stderr, stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    const numbers = stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as Line)['i']);
    assert.deepEqual(
      { signal, stdout, numbers },
      { signal: 'SIGKILL', stdout: '', numbers: Array.from({ length: 500 }, (_, i) => i) },
    );
  });
});

describe('a field', () => {
  test('that may hold a secret or a payload is redacted, at any depth', () => {
    const fields = {
      token: 's',
      accessToken: 's',
      'api-key': 's',
      headers: { authorization: 's', Cookie: 's' },
      list: [{ password: 's' }],
      input: { a: 's' },
      payload: 's',
      output: 's',
      config: 's',
      state: 's',
      stack: 's',
      body: 's',
      token_file: 'kept',
      input_id: 'kept',
      status: 'kept',
      text: 'sent Bearer abcdefghijklmnop0123',
    };
    const written = JSON.stringify(safeFields(fields));
    assert.equal(written.includes('"s"'), false, written);
    assert.equal(written.includes('abcdefghijklmnop'), false, written);
    assert.equal(written.match(/"kept"/g)?.length, 3);
  });

  test('that is an error is described, without its stack and its cause', () => {
    const error = GreenroomError.of('internal', { cause: new Error('inner'), details: { a: 1 } });
    const description = { error_name: 'GreenroomError', error_message: error.message, error_code: 'internal' };
    assert.deepEqual(safeFields({ error }), description);
    assert.deepEqual(safeFields({ first: error }), { first: description });
  });

  test('is bounded in length, depth and members, whatever an actor hands over', () => {
    const loop: Record<string, unknown> = {
      big: 10n,
      bytes: new Uint8Array(5),
      long: 'x'.repeat(100_000),
      many: Array(10_000).fill(0),
    };
    loop['self'] = loop;
    const written = JSON.stringify(safeFields({ loop }));
    assert.ok(written.length < 40_000, `${written.length} characters`);
    assert.ok(written.includes('"[5 bytes]"') && written.includes('"[…]"'));
  });
});

describe('describeError', () => {
  const cases: [title: string, message: string, safe: string][] = [
    [
      'a posix path',
      "ENOENT: no such file or directory, open '/home/ann b/x.json'",
      "ENOENT: no such file or directory, open '<path>'",
    ],
    ['a posix path without quotes', 'cannot read /srv/app/x.js:3:7 now', 'cannot read <path> now'],
    ['the rest of a path with spaces', 'cannot read /home/ann lee/x.js', 'cannot read <path>'],
    ['a path right after a colon', 'ENOENT:/srv/x', 'ENOENT:<path>'],
    ['a file URL', 'imported from file:///srv/a%20b/x.js', 'imported from <path>'],
    ['a URL without an authority', 'at webpack:///srv/x.js', 'at <path>'],
    ['a Windows path', String.raw`open C:\Users\Ann Lee\x.js`, 'open <path>'],
    ['a Windows path with slashes, in parentheses', 'failed (D:/app/x.js)', 'failed (<path>)'],
    ['a network path', String.raw`open \\server\share\x`, 'open <path>'],
    [
      'no URL with a host',
      'GET http://127.0.0.1:80/v1/x and https://[::1]/y and a/b',
      'GET http://127.0.0.1:80/v1/x and https://[::1]/y and a/b',
    ],
    ['line breaks', 'one\n  two', 'one two'],
    ['a stack within the message', 'bad\n    at f (/srv/x.js:1:2)\n    at g', 'bad'],
  ];
  for (const [title, message, safe] of cases) {
    test(`replaces or keeps: ${title}`, () => assert.equal(messageOf(message), safe));
  }

  test('keeps 512 characters and no path that crosses the cut', () => {
    assert.equal(messageOf('x'.repeat(512)).length, 512);
    assert.equal(messageOf('x'.repeat(513)).length, 512);
    assert.equal(messageOf(`${'x'.repeat(500)} /srv/${'y'.repeat(100)}`), `${'x'.repeat(500)} <path>`);
  });

  test('gives name, code and message of an error and only the type of an object that is none', () => {
    const error = Object.assign(new TypeError('m'), { code: 'E_X' });
    assert.deepEqual(describeError(error), { error_name: 'TypeError', error_message: 'm', error_code: 'E_X' });
    assert.deepEqual(describeError('text'), { error_name: 'string', error_message: 'text' });
    assert.deepEqual(describeError(undefined), { error_name: 'undefined', error_message: 'undefined' });
    assert.deepEqual(describeError({ token: 's' }), {
      error_name: 'object',
      error_message: 'an object was thrown that is not an Error',
    });
  });

  test('does not throw when what was thrown does', () => {
    const hostile = Object.defineProperty(new Error('m'), 'message', {
      get: () => {
        throw new Error('again');
      },
    });
    assert.deepEqual(describeError(hostile), { error_name: 'unknown', error_message: 'the error cannot be described' });
  });

  test('is fast on a message made to slow it down', () => {
    for (const piece of ['/', 'a:/', ' /a', "'/", 'file://', '\\\\', 'a/ ', 'C:\\ ']) {
      const startedAt = performance.now();
      messageOf(piece.repeat(100_000));
      assert.ok(
        performance.now() - startedAt < 250,
        `${JSON.stringify(piece)} took ${performance.now() - startedAt} ms`,
      );
    }
  });
});
