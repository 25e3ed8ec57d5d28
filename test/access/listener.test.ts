// A listener, against functions that answer as they like: whom it lets in, what may be called, and what is registered as what.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import type { CallFunction, PeerRequest } from '../../lib/access/hooks.ts';
import { compileListeners, openPolicy } from '../../lib/access/listener.ts';
import type { ListenerOptions } from '../../lib/access/options.ts';
import { CredentialPolicy } from '../../lib/access/credential-policy.ts';
import type { Policy, Registration } from '../../lib/access/policy.ts';
import { DEFAULT_LIMITS, resolveLimits } from '../../lib/limits.ts';
import { codeOf } from '../support/start-runtime.ts';

const PEER: PeerRequest = { headers: { 'x-key': 'k' }, url: '/v1/gateway/rbac', ip: '127.0.0.1' };
const AUTH = { authFunctionId: 'auth' };

type Fake = (input: Record<string, unknown>) => unknown;

/** Functions by id; every call of them is kept. */
function fake(functions: Record<string, Fake>) {
  const calls: [functionId: string, input: unknown][] = [];
  const call: CallFunction = async (functionId, input) => {
    calls.push([functionId, input]);
    const found = functions[functionId];
    if (found === undefined) throw GreenroomError.of('function_not_found');
    return await found(input as Record<string, unknown>);
  };
  return { call, calls };
}

interface Opening {
  readonly options: ListenerOptions;
  readonly functions?: Record<string, Fake>;
  readonly credential?: CredentialPolicy | null;
  readonly peer?: PeerRequest;
  readonly maxFunctionsPerRemote?: number;
}

function open({ options, functions = {}, credential = null, peer = PEER, maxFunctionsPerRemote = 100 }: Opening) {
  const [listener] = compileListeners({ rbac: options });
  assert.ok(listener !== undefined);
  const { call, calls } = fake(functions);
  const opening = openPolicy({ listener, peer, credential, call, limits: resolveLimits({ maxFunctionsPerRemote }) });
  return { opening, calls };
}

/** The policy of a peer to whom the auth function answered this. */
const granted = (answer: unknown, options: ListenerOptions = {}, functions: Record<string, Fake> = {}) =>
  open({ options: { ...AUTH, ...options }, functions: { auth: () => answer, ...functions } }).opening;

type FunctionRegistration = Extract<Registration, { kind: 'function' }>;
const ofFunction = (functionId: string, more: object = {}): FunctionRegistration => ({
  kind: 'function',
  functionId,
  description: null,
  metadata: undefined,
  ...more,
});
const ofTrigger = (functionId: string, more: object = {}): Registration => ({
  kind: 'trigger',
  triggerId: 't',
  triggerType: 'cron',
  functionId,
  config: 1,
  metadata: undefined,
  ...more,
});
const TYPE: Registration = { kind: 'trigger_type', triggerType: 'cron', description: 'd' };

const admit = async (policy: Policy, registration: Registration) => policy.admit(registration);
/** What a session does with what was admitted, once it is registered. */
const register = async (policy: Policy, registration: FunctionRegistration) => {
  const admitted = await policy.admit(registration);
  policy.remember(registration.functionId, admitted.functionId);
  return admitted;
};
const mayCall = (policy: Policy, id: string, metadata?: unknown) => policy.callRefusal(id, metadata) === null;

describe('the auth function', () => {
  test('is told headers, query and address', async () => {
    const peer: PeerRequest = {
      headers: { authorization: 'Bearer x', 'set-cookie': ['a', 'b'], absent: undefined },
      url: '/v1/gateway/rbac?k=1&k=2&space=a%20b&__proto__=p',
      ip: '::ffff:10.0.0.7',
    };
    const { opening, calls } = open({ options: AUTH, functions: { auth: () => ({}) }, peer });
    await opening;
    assert.deepEqual(
      JSON.parse(JSON.stringify(calls)),
      JSON.parse(
        '[["auth",{"headers":{"authorization":"Bearer x","set-cookie":"a, b"},' +
          '"query_params":{"k":["1","2"],"space":["a b"],"__proto__":["p"]},"ip_address":"10.0.0.7"}]]',
      ),
    );
  });

  test('that answers an empty object lets the peer in, to register functions and to call nothing but the infrastructure', async () => {
    const policy = await granted({});
    const { name, mayBridge, context, middlewareFunctionId } = policy;
    assert.deepEqual(
      { name, mayBridge, context, middlewareFunctionId },
      { name: 'rbac', mayBridge: false, context: {}, middlewareFunctionId: null },
    );
    assert.deepEqual(
      ['engine::workers::register', 'engine::workers::list', 'a'].map((id) => mayCall(policy, id)),
      [true, false, false],
    );
    assert.deepEqual(await admit(policy, ofFunction('a')), ofFunction('a'));
    assert.deepEqual(await admit(policy, ofTrigger('a')), ofTrigger('a'));
    assert.equal(await codeOf(admit(policy, TYPE)), 'forbidden');
  });

  test('may leave keys out as null, as some languages do', async () => {
    const keys = ['allowed_functions', 'forbidden_functions', 'allowed_trigger_types', 'context'];
    const policy = await granted(
      Object.fromEntries([...keys, 'function_registration_prefix'].map((key) => [key, null])),
    );
    assert.deepEqual(await admit(policy, ofTrigger('a')), ofTrigger('a'));
  });

  const denials: [what: string, answer: unknown][] = [
    ['null', null],
    ['true', true],
    ['a text', 'ok'],
    ['a list', []],
    ['a key that is misspelt', { forbiden_functions: ['a'] }],
    ['a list that is a text', { allowed_functions: 'a' }],
    ['a list of numbers', { forbidden_functions: [1] }],
    ['a flag that is a text', { allow_function_registration: 'false' }],
    ['a context that is a list', { context: [] }],
    ['an empty prefix', { function_registration_prefix: '' }],
    ['a prefix of the runtime', { function_registration_prefix: 'engine' }],
    ['a prefix with white space', { function_registration_prefix: 'a b' }],
  ];
  for (const [what, answer] of denials) {
    test(`that answers ${what} lets nobody in`, async () => {
      assert.equal(await codeOf(granted(answer)), 'unauthorized');
    });
  }

  test('that throws, or is not there, lets nobody in and tells the peer nothing of why', async () => {
    const refuse = () => {
      throw new Error('secret reason');
    };
    for (const functions of [{ auth: refuse }, {}] as Record<string, Fake>[]) {
      await assert.rejects(open({ options: AUTH, functions }).opening, (thrown: GreenroomError) => {
        assert.deepEqual(thrown.toWire(), {
          code: 'unauthorized',
          message: 'The listener did not let this peer in.',
          retryable: false,
        });
        return thrown.cause !== undefined;
      });
    }
  });
});

describe('a call', () => {
  const options = { exposeFunctions: ['match("api::*")', { metadata: { public: true } }] };
  const answer = { allowed_functions: ['own', 'star::*'], forbidden_functions: ['api::admin::*', 'engine::log::info'] };

  test('is decided by what is forbidden, what is allowed, the infrastructure and the filters, in this order', async () => {
    const policy = await granted(answer, options);
    const cases: [id: string, metadata: unknown, isAllowed: boolean][] = [
      ['api::get', null, true],
      ['api::admin::drop', null, false],
      ['api::admin::drop', { public: true }, false],
      ['own', null, true],
      ['other', null, false],
      ['other', { public: true }, true],
      ['other', { public: 'true' }, false],
      ['engine::log::warn', null, true],
      ['engine::log::info', null, false],
      ['engine::functions::list', null, false],
      // What is allowed is taken letter by letter: a star that a peer slipped in opens nothing.
      ['star::x', null, false],
      ['star::*', null, true],
    ];
    for (const [id, metadata, isAllowed] of cases) {
      assert.equal(mayCall(policy, id, metadata), isAllowed, id);
      assert.equal(policy.listRefusal(id, metadata) === null, isAllowed, id);
    }
  });

  test('that is refused says which list to edit', async () => {
    const policy = await granted(answer, options);
    assert.equal(
      policy.callRefusal('other', null)?.message,
      'other is not allowed: add it to `exposeFunctions` of the listener rbac, or to `allowed_functions`.',
    );
    assert.equal(
      policy.callRefusal('api::admin::x', null)?.message,
      'api::admin::x is not allowed: `forbidden_functions` from the auth function of rbac holds it.',
    );
  });
});

describe('a listener without an auth function', () => {
  const credential = new CredentialPolicy(
    { name: 'ci', call: ['api::*'], expose: ['ci::*'], prefix: 'ci' },
    DEFAULT_LIMITS,
  );

  test('takes nobody without a credential, whoever asks', async () => {
    assert.equal(await codeOf(open({ options: {} }).opening), 'unauthorized');
    const [needs, not] = compileListeners({ a: {}, b: AUTH }).map(({ needsBearer }) => needsBearer);
    assert.deepEqual([needs, not], [true, false]);
  });

  test('and without a rule leaves the credential as it is', async () => {
    const policy = await open({ options: { middlewareFunctionId: 'm' }, credential }).opening;
    assert.equal(policy.middlewareFunctionId, 'm');
    assert.deepEqual([mayCall(policy, 'api::x'), mayCall(policy, 'x')], [true, false]);
    assert.deepEqual(await admit(policy, ofFunction('a')), ofFunction('ci::a'));
  });

  test('narrows the credential and never widens it', async () => {
    const policy = await open({ options: { exposeFunctions: ['api::a', 'x'] }, credential }).opening;
    assert.deepEqual(
      ['api::a', 'api::b', 'x'].map((id) => mayCall(policy, id)),
      [true, false, false],
    );
    assert.deepEqual(await admit(policy, ofFunction('a')), ofFunction('ci::a'));
    assert.equal(await codeOf(admit(policy, TYPE)), 'forbidden');
  });

  test('allows nothing but the infrastructure as soon as it has a hook and no filter', async () => {
    const policy = await open({ options: { onTriggerRegistrationFunctionId: 'h' }, credential }).opening;
    assert.deepEqual(
      ['api::a', 'engine::log::info'].map((id) => mayCall(policy, id)),
      [false, true],
    );
  });
});

describe('a registration', () => {
  test('needs the grant for its kind', async () => {
    const policy = await granted({
      allow_function_registration: false,
      allow_trigger_type_registration: true,
      allowed_trigger_types: ['a'],
    });
    assert.equal(await codeOf(admit(policy, ofFunction('f'))), 'forbidden');
    assert.equal(await codeOf(admit(policy, ofTrigger('f'))), 'forbidden');
    assert.deepEqual(await admit(policy, ofTrigger('f', { triggerType: 'a' })), ofTrigger('f', { triggerType: 'a' }));
    assert.deepEqual(await admit(policy, TYPE), TYPE);
  });

  test('gets the prefix of the auth function on every path', async () => {
    const policy = await granted({ function_registration_prefix: 'tenant::a' });
    assert.deepEqual(await admit(policy, ofFunction('f')), ofFunction('tenant::a::f'));
    assert.deepEqual(await admit(policy, ofTrigger('f')), ofTrigger('tenant::a::f'));
    assert.equal(policy.toRegistered('f'), 'tenant::a::f');
    assert.equal(policy.toPeer('tenant::a::f'), 'f');
  });
});

describe('a hook', () => {
  const hooks = {
    onFunctionRegistrationFunctionId: 'onFunction',
    onTriggerRegistrationFunctionId: 'onTrigger',
    onTriggerTypeRegistrationFunctionId: 'onType',
  };
  const answer = { allow_trigger_type_registration: true, context: { user: 1 } };

  test('is told the registration and the context', async () => {
    const { opening, calls } = open({
      options: { ...AUTH, ...hooks },
      functions: { auth: () => answer, onFunction: () => ({}), onTrigger: () => ({}), onType: () => ({}) },
    });
    const policy = await opening;
    const registrations = [
      ofFunction('f'),
      ofFunction('f', { description: 'd', metadata: { m: 1 } }),
      ofTrigger('f'),
      TYPE,
    ];
    for (const registration of registrations) assert.deepEqual(await admit(policy, registration), registration);
    const context = { user: 1 };
    assert.deepEqual(JSON.parse(JSON.stringify(calls.slice(1))), [
      ['onFunction', { function_id: 'f', context }],
      ['onFunction', { function_id: 'f', description: 'd', metadata: { m: 1 }, context }],
      ['onTrigger', { trigger_id: 't', trigger_type: 'cron', function_id: 'f', config: 1, context }],
      ['onType', { trigger_type_id: 'cron', description: 'd', context }],
    ]);
  });

  test('rewrites what it answers, and may send its input back', async () => {
    const policy = await granted(answer, hooks, {
      onFunction: (input) => ({ ...input, description: 'new', metadata: { n: 2 } }),
      onTrigger: (input) => ({ ...input, trigger_type: 'hourly', config: null }),
      onType: (input) => ({ ...input, description: 'new' }),
    });
    assert.deepEqual(await admit(policy, ofFunction('f')), ofFunction('f', { description: 'new', metadata: { n: 2 } }));
    assert.deepEqual(await admit(policy, ofTrigger('f')), ofTrigger('f', { triggerType: 'hourly', config: null }));
    assert.deepEqual(await admit(policy, TYPE), { ...TYPE, description: 'new' });
  });

  const answers: [what: string, answer: Fake][] = [
    ['null', () => null],
    ['true', () => true],
    ['a list', () => []],
    ['an id that is a number', () => ({ function_id: 1 })],
    ['an id that is empty', () => ({ function_id: '' })],
    ['an error', () => Promise.reject(new Error('no'))],
  ];
  for (const [what, refuse] of answers) {
    test(`that answers ${what} refuses the registration`, async () => {
      const policy = await granted(answer, hooks, { onFunction: refuse, onTrigger: refuse });
      assert.equal(await codeOf(admit(policy, ofFunction('f'))), 'forbidden');
      assert.equal(await codeOf(admit(policy, ofTrigger('f'))), 'forbidden');
    });
  }

  test('cannot rename a trigger', async () => {
    const policy = await granted(answer, hooks, { onTrigger: () => ({ trigger_id: 'u' }) });
    assert.equal(await codeOf(admit(policy, ofTrigger('f'))), 'forbidden');
    assert.deepEqual(await admit(policy, ofTrigger('f', { triggerId: 'u' })), ofTrigger('f', { triggerId: 'u' }));
  });

  test('cannot rename a trigger type, nor move a trigger to a type that the peer may not use', async () => {
    const policy = await granted({ ...answer, allowed_trigger_types: ['cron'] }, hooks, {
      onTrigger: () => ({ trigger_type: 'http' }),
      onType: () => ({ trigger_type_id: 'other' }),
    });
    assert.equal(await codeOf(admit(policy, ofTrigger('f'))), 'forbidden');
    assert.equal(await codeOf(admit(policy, TYPE)), 'forbidden');
  });

  test('is not asked when the grant is missing', async () => {
    const { opening, calls } = open({
      options: { ...AUTH, ...hooks },
      functions: { auth: () => ({ allow_function_registration: false }), onFunction: () => ({}) },
    });
    assert.equal(await codeOf(admit(await opening, ofFunction('f'))), 'forbidden');
    assert.equal(calls.length, 1);
  });

  test('that renames a function leaves it reachable under both names, and within the prefix', async () => {
    const policy = await granted({ function_registration_prefix: 'p' }, hooks, {
      onFunction: ({ function_id: id }) => ({ function_id: `v1::${String(id)}` }),
      onTrigger: () => ({}),
    });
    assert.deepEqual(await register(policy, ofFunction('f')), ofFunction('p::v1::f'));
    assert.equal(policy.toRegistered('f'), 'p::v1::f');
    assert.equal(policy.toPeer('p::v1::f'), 'f');
    assert.deepEqual(await admit(policy, ofTrigger('f')), ofTrigger('p::v1::f'));
    policy.forget('f');
    assert.equal(policy.toRegistered('f'), 'p::f');
    assert.equal(policy.toPeer('p::v1::f'), 'v1::f');
  });

  test('that renames a function changes nothing for one that is then not registered', async () => {
    let version = 0;
    const policy = await granted({}, hooks, {
      onFunction: ({ function_id: id }) => ({ function_id: `v${++version}::${String(id)}` }),
    });
    assert.deepEqual(await admit(policy, ofFunction('f')), ofFunction('v1::f'));
    assert.deepEqual([policy.toRegistered('f'), policy.toPeer('v1::f')], ['f', 'v1::f']);
    await register(policy, ofFunction('f'));
    assert.deepEqual(await admit(policy, ofFunction('f')), ofFunction('v3::f'));
    assert.deepEqual([policy.toRegistered('f'), policy.toPeer('v2::f')], ['v2::f', 'f']);
  });

  test('cannot give two functions one id, and the first keeps it', async () => {
    const policy = await granted({}, hooks, { onFunction: () => ({ function_id: 'same' }) });
    assert.deepEqual(await register(policy, ofFunction('a')), ofFunction('same'));
    assert.equal(await codeOf(admit(policy, ofFunction('b'))), 'forbidden');
    assert.equal(policy.toPeer('same'), 'a');
    assert.deepEqual(await register(policy, ofFunction('a')), ofFunction('same'));
  });

  test('can rename as many functions as a peer may have, and again when one is given up', async () => {
    const { opening } = open({
      options: { ...AUTH, ...hooks },
      functions: { auth: () => ({}), onFunction: ({ function_id: id }) => ({ function_id: `x::${String(id)}` }) },
      maxFunctionsPerRemote: 2,
    });
    const policy = await opening;
    await register(policy, ofFunction('a'));
    await register(policy, ofFunction('b'));
    assert.equal(await codeOf(admit(policy, ofFunction('c'))), 'forbidden');
    policy.forget('a');
    assert.deepEqual(await register(policy, ofFunction('c')), ofFunction('x::c'));
  });
});
