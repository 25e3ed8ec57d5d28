// One Config from three sources; every refusal names the option in the form in which it was given.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { OPTIONS, toFlag, toVariable } from '../lib/config-options.ts';
import { readConfig, unknownVariables } from '../lib/config.ts';
import type { Config } from '../lib/config.ts';
import { GreenroomError } from '../lib/errors.ts';
import { DEFAULT_LIMITS, resolveLimits } from '../lib/limits.ts';
import type { Limits } from '../lib/limits.ts';

const cwd = mkdtempSync(join(tmpdir(), 'greenroom-config-'));
after(() => rmSync(cwd, { recursive: true }));

interface Sources {
  flags?: Record<string, unknown>;
  environment?: Record<string, string>;
  /** Content of the file `greenroom.json`; a text is written as it is. */
  file?: unknown;
}

function read({ flags = {}, environment = {}, file }: Sources): Config {
  if (file === undefined) return readConfig({ flags, environment, cwd });
  writeFileSync(join(cwd, 'greenroom.json'), typeof file === 'string' ? file : JSON.stringify(file));
  return readConfig({ flags: { ...flags, config: 'greenroom.json' }, environment, cwd });
}

function refusalOf(sources: Sources): string {
  try {
    read(sources);
  } catch (thrown) {
    assert.ok(thrown instanceof GreenroomError && thrown.code === 'invalid_option', String(thrown));
    assert.doesNotMatch(thrown.message, /\n/);
    return thrown.message;
  }
  return 'accepted';
}

describe('readConfig', () => {
  test('gives every default when nothing is given, and freezes it', () => {
    const config = read({});
    assert.deepEqual(config, {
      bind: { host: '127.0.0.1', port: 38_800 },
      runtimeId: undefined,
      displayName: undefined,
      store: 'memory',
      dataDir: join(cwd, '.greenroom'),
      actors: [],
      hosts: Math.min(8, Math.max(1, availableParallelism() - 1)),
      tokenFile: undefined,
      logLevel: 'info',
      drainMs: 10_000,
      limits: DEFAULT_LIMITS,
      gateway: {},
      http: {},
      sources: [],
      functions: {},
      allowStdioSources: false,
    });
    for (const part of [config, config.bind, config.actors, config.sources, config.limits])
      assert.ok(Object.isFrozen(part));
  });

  test('lets a flag beat the environment and the environment beat the file', () => {
    const file = { hosts: 1, drainMs: 1, displayName: 'file', maxWorkers: 1 };
    const environment = { GREENROOM_HOSTS: '2', GREENROOM_DRAIN_MS: '2' };
    const { hosts, drainMs, displayName, limits } = read({ flags: { hosts: '3' }, environment, file });
    assert.deepEqual(
      { hosts, drainMs, displayName, maxWorkers: limits.maxWorkers },
      { hosts: 3, drainMs: 2, displayName: 'file', maxWorkers: 1 },
    );
  });

  test('resolves paths against the working directory and takes lists from each source', () => {
    const expected = [join(cwd, 'a'), '/b'];
    assert.deepEqual(read({ flags: { actors: ['a', '/b'] } }).actors, expected);
    assert.deepEqual(read({ environment: { GREENROOM_ACTORS: 'a,/b' } }).actors, expected);
    assert.deepEqual(read({ file: { actors: ['a', '/b'] } }).actors, expected);
    const { dataDir, tokenFile } = read({ flags: { dataDir: 'd', tokenFile: 't' } });
    assert.deepEqual({ dataDir, tokenFile }, { dataDir: join(cwd, 'd'), tokenFile: join(cwd, 't') });
  });

  test('takes a flag without a value, and true or false elsewhere', () => {
    assert.equal(read({ flags: { allowStdioSources: true } }).allowStdioSources, true);
    assert.equal(read({ environment: { GREENROOM_ALLOW_STDIO_SOURCES: 'true' } }).allowStdioSources, true);
    const file = { allowStdioSources: true };
    assert.equal(read({ file }).allowStdioSources, true);
    assert.equal(read({ file, environment: { GREENROOM_ALLOW_STDIO_SOURCES: 'false' } }).allowStdioSources, false);
    assert.throws(() => read({ environment: { GREENROOM_ALLOW_STDIO_SOURCES: 'yes' } }), {
      message: 'GREENROOM_ALLOW_STDIO_SOURCES must be true or false, not "yes" (string)',
    });
  });

  test('takes 0 for the limits that are off then, and for no other', () => {
    const off = read({ flags: { idleAfterMs: '0' }, environment: { GREENROOM_HOST_MAX_AGE_MS: '0' } });
    assert.deepEqual([off.limits.idleAfterMs, off.limits.hostMaxAgeMs], [0, 0]);
    assert.throws(
      () => read({ flags: { stuckAfterMs: '0' } }),
      /--stuck-after-ms must be a whole number of at least 1/,
    );
  });

  test('takes either store, in every form', () => {
    assert.equal(read({ flags: { store: 'lmdb' } }).store, 'lmdb');
    assert.equal(read({ environment: { GREENROOM_STORE: 'lmdb' } }).store, 'lmdb');
    assert.equal(read({ file: { store: 'lmdb' }, environment: { GREENROOM_STORE: 'memory' } }).store, 'memory');
  });

  test('takes an empty variable as not set', () => {
    assert.equal(read({ environment: { GREENROOM_HOSTS: '', GREENROOM_CONFIG: '' } }).drainMs, 10_000);
  });

  test('finds the file through the environment as well', () => {
    writeFileSync(join(cwd, 'other.json'), '{"hosts":0}');
    assert.equal(read({ environment: { GREENROOM_CONFIG: 'other.json' } }).hosts, 0);
  });

  for (const [bind, host, port] of [
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['[::1]:80', '::1', 80],
    ['localhost:65535', 'localhost', 65_535],
  ] as const) {
    test(`binds to ${bind}`, () => assert.deepEqual(read({ flags: { bind } }).bind, { host, port }));
  }
});

describe('limits', () => {
  for (const [name, value] of Object.entries<number>({ ...DEFAULT_LIMITS })) {
    test(`${name} is an option in all three forms`, () => {
      // One more than the default fits every relation, but for the message that must fit the total.
      const given = value + 1;
      assert.ok(OPTIONS.some(({ key }) => key === name));
      const expected = resolveLimits({ [name]: given });
      assert.equal(expected[name as keyof Limits], given);
      assert.deepEqual(read({ flags: { [name]: String(given) } }).limits, expected);
      assert.deepEqual(read({ environment: { [toVariable(name)]: String(given) } }).limits, expected);
      assert.deepEqual(read({ file: { [name]: given } }).limits, expected);
      assert.match(
        refusalOf({ flags: { [name]: '-1' } }),
        new RegExp(`^${toFlag(name)} must be a whole number of at least [01], not -1 \\(number\\)$`),
      );
    });
  }

  test('that do not fit together are refused by the names in which they were given', () => {
    const given = { flags: { maxMessageBytes: '2000' }, environment: { GREENROOM_MAX_TOTAL_BYTES: '1000' } };
    assert.equal(
      refusalOf(given),
      'GREENROOM_MAX_TOTAL_BYTES is 1000, but must be at least --max-message-bytes (2000)',
    );
  });
});

describe('maxFrameBytes', () => {
  test('follows from maxMessageBytes unless it is given', () => {
    assert.equal(read({}).limits.maxFrameBytes, 33_554_432);
    assert.equal(read({ flags: { maxMessageBytes: '1000000' } }).limits.maxFrameBytes, 2_000_000);
    assert.equal(read({ flags: { maxMessageBytes: '1000' } }).limits.maxFrameBytes, 66_536);
    assert.match(OPTIONS.find(({ key }) => key === 'maxFrameBytes')?.help ?? '', /twice --max-message-bytes/);
  });

  test('below the limit and its margin is refused by both names, whichever of the two was given', () => {
    assert.equal(
      refusalOf({ flags: { maxMessageBytes: '1000', maxFrameBytes: '66535' } }),
      '--max-frame-bytes is 66535, but must be at least --max-message-bytes + 65536 (66536)',
    );
    assert.equal(
      refusalOf({ environment: { GREENROOM_MAX_MESSAGE_BYTES: '1000' }, file: { maxFrameBytes: 999 } }),
      'maxFrameBytes in greenroom.json is 999, but must be at least GREENROOM_MAX_MESSAGE_BYTES + 65536 (66536)',
    );
    assert.equal(
      refusalOf({ flags: { maxFrameBytes: '16777216' } }),
      '--max-frame-bytes is 16777216, but must be at least --max-message-bytes + 65536 (16842752)',
    );
  });

  for (const [given, shown] of [
    ['0', '0 (number)'],
    ['-1', '-1 (number)'],
    ['NaN', '"NaN" (string)'],
    ['1.5', '1.5 (number)'],
  ] as const) {
    test(`and maxMessageBytes are refused by name when they are ${given}`, () => {
      for (const key of ['maxFrameBytes', 'maxMessageBytes'])
        assert.equal(
          refusalOf({ flags: { [key]: given } }),
          `${toFlag(key)} must be a whole number of at least 1, not ${shown}`,
        );
    });
  }
});

describe('a refusal', () => {
  const cases: [title: string, sources: Sources, message: string][] = [
    ['names the flag', { flags: { hosts: 'two' } }, '--hosts must be a whole number of at least 0, not "two" (string)'],
    [
      'names the variable',
      { environment: { GREENROOM_HOSTS: '-1' } },
      'GREENROOM_HOSTS must be a whole number of at least 0, not -1 (number)',
    ],
    [
      'names the key and the file',
      { file: { hosts: '2' } },
      'hosts in greenroom.json must be a whole number of at least 0, not "2" (string)',
    ],
    [
      'names the unit',
      { flags: { drainMs: '1.5' } },
      '--drain-ms must be a whole number from 0 to 86400000, not 1.5 (number)',
    ],
    ['of an empty value', { flags: { hosts: '' } }, '--hosts must be a whole number of at least 0, not "" (string)'],
    [
      'of a number that is not exact',
      { flags: { maxWorkers: '9007199254740993' } },
      '--max-workers must be a whole number of at least 1, not 9007199254740992 (number)',
    ],
    ['of an unknown key names it', { file: { hots: 1 } }, 'hots in greenroom.json is not an option'],
    ['of a key that every object inherits', { file: { toString: 1 } }, 'toString in greenroom.json is not an option'],
    [
      'of a key that sets a prototype',
      { file: '{"__proto__":{"hosts":1}}' },
      '__proto__ in greenroom.json is not an option',
    ],
    ['of a file within a file', { file: { config: 'x' } }, 'config in greenroom.json is not an option'],
    [
      'names every option that is wrong',
      { flags: { hosts: 'x', logLevel: 'y' } },
      '--hosts must be a whole number of at least 0, not "x" (string); --log-level must be one of debug, info, warn, error, silent, not "y" (string)',
    ],
    [
      'of a store that nobody knows',
      { flags: { store: 'redis' } },
      '--store must be memory or lmdb, not "redis" (string)',
    ],
    [
      'of a list that is none',
      { file: { actors: 'a' } },
      'actors in greenroom.json must be a list of paths, not "a" (string)',
    ],
    [
      'of a runtime id',
      { flags: { runtimeId: 'a b' } },
      '--runtime-id must be 1 to 128 of A-Z a-z 0-9 . _ : -, not "a b" (string)',
    ],
    [
      'of a display name',
      { flags: { displayName: '' } },
      '--display-name must be 1 to 256 characters, not "" (string)',
    ],
    ['of a file that is not there', { flags: { config: 'nope.json' } }, '--config: nope.json cannot be read (ENOENT)'],
    [
      'of a file named by a variable',
      { environment: { GREENROOM_CONFIG: 'nope.json' } },
      'GREENROOM_CONFIG: nope.json cannot be read (ENOENT)',
    ],
    ['of a file that is not JSON', { file: '{' }, '--config: greenroom.json is not valid JSON'],
    ['of a file that is no object', { file: [] }, '--config: greenroom.json must hold a JSON object'],
  ];
  for (const [title, sources, message] of cases) test(title, () => assert.equal(refusalOf(sources), message));

  for (const bind of [
    '38800',
    ':38800',
    '127.0.0.1',
    '127.0.0.1:65536',
    '::1:80',
    '[::1]',
    '[127.0.0.1]:80',
    'http://a:80',
    'a:-1',
    'a b:80',
  ]) {
    test(`of --bind ${bind}`, () => assert.match(refusalOf({ flags: { bind } }), /^--bind must be HOST:PORT /));
  }

  test('has one issue per option in its details', () => {
    assert.throws(() => read({ flags: { hosts: 'x' } }), {
      details: {
        issues: [{ path: 'hosts', message: '--hosts must be a whole number of at least 0, not "x" (string)' }],
      },
    });
  });
});

test('variables that look like ours are told apart from those that are', () => {
  const environment = {
    GREENROOM_HOSTS: '1',
    GREENROOM_CONFIG: 'x',
    GREENROOM_MAX_WORKERS: '1',
    GREENROOM_HOTS: '1',
    GREENROOM_TOKEN: 's',
    PATH: '/',
  };
  assert.deepEqual(unknownVariables(environment, { gateway: null, http: {} }), ['GREENROOM_HOTS', 'GREENROOM_TOKEN']);
  const credentials = [{ name: 'ci', tokenVariable: 'GREENROOM_TOKEN' }];
  assert.deepEqual(unknownVariables(environment, { gateway: { credentials }, http: {} }), ['GREENROOM_HOTS']);
  const http = { variables: ['GREENROOM_T*'] };
  assert.deepEqual(unknownVariables(environment, { gateway: null, http }), ['GREENROOM_HOTS']);
});
