// Who is let in by which token, and what its policy then says.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAuthenticateSocket } from '../../lib/access/credentials.ts';
import type { CredentialOptions } from '../../lib/access/options.ts';
import { requireGateway } from '../../lib/access/options-schema.ts';
import { CredentialPolicy } from '../../lib/access/credential-policy.ts';
import type { Registration } from '../../lib/access/policy.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { createAuthenticate } from '../../lib/server/auth.ts';

const limits = resolveLimits({ maxCallsInFlight: 10, maxFunctionsPerRemote: 20 });
const TOKEN = 'runtime-token-0123456789';
const CREDENTIALS: CredentialOptions[] = [
  { name: 'ci', token: 'ci-token-0123456789' },
  { name: 'web', token: 'web-token-0123456789', call: ['math::*'], prefix: 'web', limits: { maxCallsInFlight: 3 } },
];
type Request = Parameters<ReturnType<typeof createAuthenticate>>[0];
const asks = (authorization?: string) => ({ headers: { authorization } }) as Request;

const ofFunction = (functionId: string): Registration => ({
  kind: 'function',
  functionId,
  description: null,
  metadata: undefined,
});
const ofTrigger = (functionId: string): Registration => ({
  kind: 'trigger',
  triggerId: 't',
  triggerType: 'cron',
  functionId,
  config: null,
  metadata: undefined,
});

describe('a socket', () => {
  const authenticate = createAuthenticate({ token: TOKEN });
  const authenticateSocket = createAuthenticateSocket({ token: TOKEN, authenticate }, CREDENTIALS, limits);
  const nameOf = (authorization?: string) => authenticateSocket(asks(authorization))?.name ?? null;

  test('gets the policy of the token that it presents', () => {
    assert.equal(nameOf(`Bearer ${TOKEN}`), 'backend');
    assert.equal(nameOf('Bearer ci-token-0123456789'), 'ci');
    assert.equal(nameOf('bearer web-token-0123456789'), 'web');
  });

  test('without a token, or with one that nobody has, is not let in', () => {
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'ci-token-0123456789', 'Basic ci-token-0123456789'])
      assert.equal(nameOf(header), null, header);
    for (const wrong of ['ci-token-012345678', 'ci-token-01234567890', `${TOKEN}\0`, 'x'.repeat(9_000), 'undefined'])
      assert.equal(nameOf(`Bearer ${wrong}`), null, wrong.slice(0, 40));
  });

  test('of a credential has no right on the REST routes', () => {
    assert.equal(authenticate(asks('Bearer ci-token-0123456789')), false);
  });

  test("is let in by a Backend that has credentials of its own, and by the gateway's beside them", () => {
    const own = createAuthenticate({ authenticate: ({ headers }) => headers.authorization === 'Custom me' });
    const embedded = createAuthenticateSocket({ authenticate: own }, CREDENTIALS, limits);
    assert.equal(embedded(asks('Custom me'))?.name, 'backend');
    assert.equal(embedded(asks('Bearer ci-token-0123456789'))?.name, 'ci');
    assert.equal(embedded(asks('Bearer x')), null);
  });

  test('cannot have the token of the runtime under another name', () => {
    const same = [{ name: 'same', token: TOKEN }];
    assert.throws(() => createAuthenticateSocket({ token: TOKEN, authenticate }, same, limits), {
      code: 'invalid_option',
      message: 'The credential same has the token of the runtime; give it one of its own.',
    });
  });
});

describe('a policy', () => {
  const policyOf = (rights: object = {}) => new CredentialPolicy({ name: 'p', ...rights }, limits);

  test('allows everything that is not restricted, but no bridge', () => {
    const policy = policyOf();
    const { mayBridge, maxCallsInFlight, maxFunctions, middlewareFunctionId, context } = policy;
    assert.deepEqual(
      { mayBridge, maxCallsInFlight, maxFunctions, middlewareFunctionId, context },
      { mayBridge: false, maxCallsInFlight: 10, maxFunctions: 20, middlewareFunctionId: null, context: null },
    );
    for (const id of ['a::b', 'engine::functions::list', 'engine::workers::register', 'x'.repeat(9_000)])
      assert.equal(policy.callRefusal(id), null);
    assert.deepEqual(policy.admit(ofFunction('a::b')), ofFunction('a::b'));
    assert.equal(policyOf({ bridge: true }).mayBridge, true);
  });

  test("has the limits of its credential, and never more than the runtime's", () => {
    const { maxCallsInFlight, maxFunctions } = policyOf({ limits: { maxCallsInFlight: 3, maxFunctions: 99 } });
    assert.deepEqual([maxCallsInFlight, maxFunctions], [3, 20]);
  });

  test('refuses what its patterns do not name, and never the infrastructure', () => {
    const policy = policyOf({ call: ['math::*', 'x'] });
    const infrastructure = [
      'engine::channels::create',
      'engine::workers::register',
      ...['info', 'warn', 'error', 'debug', 'trace'].map((level) => `engine::log::${level}`),
      ...['get', 'set', 'get_all'].map((name) => `engine::baggage::${name}`),
    ];
    for (const id of ['math::add', 'x', ...infrastructure]) {
      assert.equal(policy.callRefusal(id), null, id);
      assert.equal(policy.listRefusal(id), null, id);
    }
    for (const id of ['math', 'xx', 'engine::workers::list', 'engine::log::', 'engine::log::fatal', '']) {
      assert.equal(policy.callRefusal(id)?.code, 'forbidden', id);
      assert.equal(policy.listRefusal(id)?.code, 'forbidden', id);
    }
  });

  test('says which function it refused, shortened, and which list holds the rule', () => {
    assert.deepEqual(policyOf({ call: [] }).callRefusal('a::b')?.toWire(), {
      code: 'forbidden',
      message: 'a::b is not allowed: add it to `call` of the credential p.',
      retryable: false,
      details: { function_id: 'a::b' },
    });
    const long = policyOf({ call: [] }).callRefusal('x'.repeat(1_000_000));
    assert.ok((long?.message.length ?? Infinity) < 400);
  });

  test('puts its prefix in front of functions and of the targets of triggers, and takes it away again', () => {
    const policy = policyOf({ prefix: 'ci' });
    assert.deepEqual(policy.admit(ofFunction('a')), ofFunction('ci::a'));
    assert.deepEqual(policy.admit(ofTrigger('a')), ofTrigger('ci::a'));
    assert.equal(policy.toRegistered('a'), 'ci::a');
    assert.equal(policy.toPeer('ci::a'), 'a');
    assert.equal(policy.toPeer(policy.toRegistered('ci::a')), 'ci::a');
    // What is not its own keeps its name.
    assert.equal(policy.toPeer('other::a'), 'other::a');
    assert.deepEqual(policyOf().toPeer('ci::a'), 'ci::a');
  });

  test('exposes what its patterns name, as it is registered', () => {
    const policy = policyOf({ expose: ['ci::ok::*', 'cron'], prefix: 'ci', call: [] });
    assert.deepEqual(policy.admit(ofFunction('ok::a')), ofFunction('ci::ok::a'));
    for (const id of ['a', 'ci::ok::a', 'cron']) {
      assert.throws(() => policy.admit(ofFunction(id)), { code: 'forbidden' });
      assert.throws(() => policy.admit(ofTrigger(id)), { code: 'forbidden' });
    }
    const type = { kind: 'trigger_type', triggerType: 'cron', description: 'd' } as const;
    assert.deepEqual(policy.admit(type), type);
    assert.throws(() => policy.admit({ ...type, triggerType: 'other' }), {
      code: 'forbidden',
      message: 'other is not allowed: add it to `expose` of the credential p.',
    });
  });
});

describe('the options of an embedding Backend', () => {
  test('are taken as they are when nothing is wrong', () => {
    const options = { credentials: CREDENTIALS, listeners: { rbac: {} }, otlpEndpoint: 'https://collector/base' };
    assert.deepEqual(requireGateway(options, limits), options);
    assert.deepEqual(requireGateway({}, limits), {});
  });

  const [ci] = CREDENTIALS as [CredentialOptions];
  const cases: [options: unknown, message: string][] = [
    [null, 'gateway must be an object'],
    [
      { credentials: [{ ...ci, token: 'a b' }] },
      'gateway.credentials[0].token must be 1 to 512 visible ASCII characters',
    ],
    [{ credentials: [{ name: 'ci' }] }, 'gateway.credentials[0].token is missing'],
    [{ credentials: [ci, { ...ci, name: 'b' }] }, 'gateway.credentials must have tokens that differ'],
    [
      { credentials: [{ ...ci, limits: { maxCallsInFlight: 11 } }] },
      'gateway.credentials[0].limits.maxCallsInFlight is 11, but must be at most maxCallsInFlight (10)',
    ],
    [{ listeners: { a: [] } }, 'gateway.listeners.a must be an object'],
    [
      JSON.parse('{"listeners":{"constructor":{}}}'),
      'gateway.listeners must have names of 1 to 64 of a-z 0-9 -, and none of otel, ws, constructor, prototype',
    ],
    [
      JSON.parse('{"listeners":{"__proto__":{}}}'),
      'gateway.listeners must have names of 1 to 64 of a-z 0-9 -, and none of otel, ws, constructor, prototype',
    ],
  ];
  for (const [options, message] of cases) {
    test(`are refused: ${message}`, () => {
      assert.throws(() => requireGateway(options as object, limits), { code: 'invalid_option', message });
    });
  }
});
