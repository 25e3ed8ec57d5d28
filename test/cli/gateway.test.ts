// What the configuration says of the gateway: a word, or an object in the file; and where the tokens come from.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { resolveGateway } from '../../lib/cli/gateway.ts';
import { CannotStart } from '../../lib/cli/say.ts';
import { readConfig } from '../../lib/config.ts';
import type { GatewayConfig } from '../../lib/config.ts';
import { GreenroomError } from '../../lib/errors.ts';
import { temporaryFolder } from '../support/start-runtime.ts';

interface Sources {
  readonly flags?: Record<string, unknown>;
  readonly environment?: Record<string, string>;
  readonly file?: unknown;
}

function read(t: TestContext, { flags = {}, environment = {}, file = {} }: Sources): GatewayConfig | null {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, 'g.json'), JSON.stringify(file));
  return readConfig({ flags: { ...flags, config: 'g.json' }, environment, cwd }).gateway;
}

function refusalOf(t: TestContext, gateway: unknown, flags: Record<string, unknown> = {}): string {
  try {
    read(t, { file: { gateway }, flags });
  } catch (thrown) {
    assert.ok(thrown instanceof GreenroomError && thrown.code === 'invalid_option', String(thrown));
    return thrown.message;
  }
  return 'accepted';
}

const CI = { name: 'ci', tokenVariable: 'CI_TOKEN' };

describe('the option `gateway`', () => {
  const object = { perMessageDeflate: true };
  const cases: [title: string, sources: Sources, expected: unknown][] = [
    ['is on by default', {}, {}],
    ['can be turned off in each way', { flags: { gateway: 'off' } }, null],
    ['in the environment', { environment: { GREENROOM_GATEWAY: 'off' } }, null],
    ['in the file', { file: { gateway: 'off' } }, null],
    ['is on where the file says so', { file: { gateway: 'on' } }, {}],
    ['takes an object from the file', { file: { gateway: object } }, object],
    [
      'is off when the flag says so, whatever the file holds',
      { flags: { gateway: 'off' }, file: { gateway: object } },
      null,
    ],
    [
      'keeps the object of the file when the flag says on',
      { flags: { gateway: 'on' }, file: { gateway: object } },
      object,
    ],
    [
      'keeps it when the variable says on',
      { environment: { GREENROOM_GATEWAY: 'on' }, file: { gateway: object } },
      object,
    ],
    [
      'is on when the flag says on and the variable off',
      { flags: { gateway: 'on' }, environment: { GREENROOM_GATEWAY: 'off' }, file: { gateway: object } },
      object,
    ],
    ['is on when the flag says on and the file off', { flags: { gateway: 'on' }, file: { gateway: 'off' } }, {}],
  ];
  for (const [title, sources, expected] of cases) {
    test(title, (t) => assert.deepEqual(read(t, sources), expected));
  }

  test('takes everything that can be said, and makes the path of a token absolute', (t) => {
    const cwd = temporaryFolder(t);
    const gateway = {
      credentials: [
        {
          ...CI,
          call: ['math::*'],
          expose: [],
          prefix: 'ci::a',
          bridge: true,
          limits: { maxCallsInFlight: 1, maxFunctions: 2 },
        },
        { name: 'web', tokenFile: 'web.token' },
      ],
      listeners: {
        rbac: { authFunctionId: 'a::b', exposeFunctions: ['x', 'match("a::*")', { metadata: { public: true } }] },
      },
      otlpEndpoint: 'http://127.0.0.1:4318',
      perMessageDeflate: false,
    };
    writeFileSync(join(cwd, 'g.json'), JSON.stringify({ gateway }));
    const config = readConfig({ flags: { config: 'g.json' }, environment: {}, cwd });
    const credentials = [gateway.credentials[0], { name: 'web', tokenFile: join(cwd, 'web.token') }];
    assert.deepEqual(config.gateway, { ...gateway, credentials });
  });
});

describe('a refusal of `gateway` names the place', () => {
  const cases: [given: unknown, message: string][] = [
    ['maybe', 'gateway in g.json must be on or off, or an object in the file, not "maybe" (string)'],
    [null, 'gateway in g.json must be on or off, or an object in the file, not null (null)'],
    [[], 'gateway in g.json must be on or off, or an object in the file, not [] (array)'],
    [{ credentails: [] }, 'gateway.credentails in g.json is not an option'],
    [{ credentials: {} }, 'gateway.credentials in g.json must be a list of credentials'],
    [{ credentials: ['x'] }, 'gateway.credentials[0] in g.json must be an object'],
    [{ credentials: [[]] }, 'gateway.credentials[0] in g.json must be an object'],
    [{ credentials: [{ tokenVariable: 'T' }] }, 'gateway.credentials[0].name in g.json is missing'],
    [
      { credentials: [{ name: 'ci' }] },
      'gateway.credentials[0] in g.json must have either a tokenFile or a tokenVariable',
    ],
    [
      { credentials: [{ ...CI, tokenFile: 'x' }] },
      'gateway.credentials[0] in g.json must have either a tokenFile or a tokenVariable',
    ],
    [{ credentials: [{ ...CI, token: 'my-secret-token' }] }, 'gateway.credentials[0].token in g.json is not an option'],
    [
      { credentials: [{ ...CI, tokenVariable: 'my-secret-token' }] },
      'gateway.credentials[0].tokenVariable in g.json must be the name of an environment variable',
    ],
    [{ credentials: [CI, CI] }, 'gateway.credentials in g.json must have names that differ'],
    [
      { credentials: [{ ...CI, name: 'backend' }] },
      'gateway.credentials[0].name in g.json must be 1 to 64 of A-Z a-z 0-9 . _ -, and not backend',
    ],
    [{ credentials: [{ ...CI, call: 'math::*' }] }, 'gateway.credentials[0].call in g.json must be a list of patterns'],
    [
      { credentials: [{ ...CI, expose: ['a', ''] }] },
      'gateway.credentials[0].expose[1] in g.json must be a pattern of 1 to 256 characters',
    ],
    [
      { credentials: [{ ...CI, prefix: 'engine::x' }] },
      'gateway.credentials[0].prefix in g.json must be 1 to 64 of A-Z a-z 0-9 _ . -, in parts joined by ::, and not engine',
    ],
    [{ credentials: [{ ...CI, bridge: 1 }] }, 'gateway.credentials[0].bridge in g.json must be true or false'],
    [
      { credentials: [{ ...CI, limits: { maxFunctions: 0 } }] },
      'gateway.credentials[0].limits.maxFunctions in g.json must be a whole number of at least 1',
    ],
    [
      { listeners: { OTEL: {} } },
      'gateway.listeners in g.json must have names of 1 to 64 of a-z 0-9 -, and none of otel, ws, constructor, prototype',
    ],
    [
      { listeners: { otel: {} } },
      'gateway.listeners in g.json must have names of 1 to 64 of a-z 0-9 -, and none of otel, ws, constructor, prototype',
    ],
    [
      { listeners: { a: { auth_function_id: 'x' } } },
      'gateway.listeners.a.auth_function_id in g.json is not an option',
    ],
    [
      { listeners: { a: { exposeFunctions: [{ metadata: {} }] } } },
      'gateway.listeners.a.exposeFunctions[0].metadata in g.json must have from 1 to 1024 keys',
    ],
    [
      { listeners: { a: { exposeFunctions: [1] } } },
      'gateway.listeners.a.exposeFunctions[0] in g.json must be a pattern, or an object with `metadata` alone',
    ],
    [
      { otlpEndpoint: 'http://u:p@collector' },
      'gateway.otlpEndpoint in g.json must be an http or https URL without credentials, query and fragment',
    ],
    [
      { otlpEndpoint: 'file:///x' },
      'gateway.otlpEndpoint in g.json must be an http or https URL without credentials, query and fragment',
    ],
  ];
  for (const [given, message] of cases) {
    test(JSON.stringify(given), (t) => assert.equal(refusalOf(t, given), message));
  }

  test('and a word on the command line by its flag', (t) => {
    assert.equal(
      refusalOf(t, {}, { gateway: 'maybe' }),
      '--gateway must be on or off, or an object in the file, not "maybe" (string)',
    );
  });

  test('and a limit above that of the runtime by both names', (t) => {
    const gateway = { credentials: [CI, { ...CI, name: 'b', limits: { maxFunctions: 11 } }] };
    assert.equal(refusalOf(t, gateway, { maxFunctionsPerRemote: '11' }), 'accepted');
    assert.equal(
      refusalOf(t, gateway, { maxFunctionsPerRemote: '10' }),
      'gateway.credentials[1].limits.maxFunctions is 11, but must be at most --max-functions-per-remote (10)',
    );
  });
});

describe('the token of a credential', () => {
  const token = 'x'.repeat(16);

  test('comes from its file or its variable, and nothing says where it was', (t) => {
    const tokenFile = join(temporaryFolder(t), 'token');
    writeFileSync(tokenFile, `${token}\n`);
    const config: GatewayConfig = {
      perMessageDeflate: true,
      credentials: [{ name: 'a', tokenFile, prefix: 'a' }, CI],
    };
    const { credentials = [], ...others } = resolveGateway(config, { CI_TOKEN: 'y'.repeat(16) });
    assert.deepEqual(others, { perMessageDeflate: true });
    assert.deepEqual(JSON.parse(JSON.stringify(credentials)), [
      { name: 'a', prefix: 'a', token },
      { name: 'ci', token: 'y'.repeat(16) },
    ]);
  });

  test('that is missing or too short keeps the runtime from starting, unseen', (t) => {
    const tokenFile = join(temporaryFolder(t), 'token');
    const cases: [credential: object, environment: Record<string, string>, message: RegExp][] = [
      [CI, {}, /^the gateway credential ci: the variable CI_TOKEN is not set$/],
      [CI, { CI_TOKEN: '' }, /^the gateway credential ci: the variable CI_TOKEN is not set$/],
      [CI, { CI_TOKEN: 'short-secret' }, /^the gateway credential ci: the variable CI_TOKEN must hold one token of 16/],
      [{ name: 'f', tokenFile }, {}, /^the gateway credential f: tokenFile \S+ cannot be read \(ENOENT\)$/],
    ];
    for (const [credential, environment, message] of cases) {
      assert.throws(
        () => resolveGateway({ credentials: [credential as typeof CI] }, environment),
        (thrown: unknown) =>
          thrown instanceof CannotStart && message.test(thrown.message) && !/secret/.test(thrown.message),
      );
    }
  });
});
