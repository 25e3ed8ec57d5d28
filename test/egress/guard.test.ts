// What the guard asks of a name before it is registered, which hosts it lets through, which secrets it gives, and what it takes as options.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import type { EgressOptions } from '../../lib/egress/egress.ts';
import { Guard } from '../../lib/egress/guard.ts';
import type { Lookup } from '../../lib/egress/lookups.ts';
import { GreenroomError } from '../../lib/errors.ts';
import { DEFAULT_LIMITS } from '../../lib/limits.ts';
import { codeOf } from '../support/start-runtime.ts';
import { guardOf, problemOf, resolverOf, verdictOf } from './setup.ts';

const PUBLIC = '93.184.216.34';

/** A resolver that does not answer until it is told to; `asked` are the names. */
function silent(): { lookup: Lookup; asked: string[]; answer(addresses: string[]): void } {
  const asked: string[] = [];
  const callbacks: Parameters<Lookup>[2][] = [];
  return {
    asked,
    lookup: (host, _options, callback) => {
      asked.push(host);
      callbacks.push(callback);
    },
    answer: (addresses) => {
      for (const callback of callbacks.splice(0))
        callback(
          null,
          addresses.map((address) => ({ address, family: 4 })),
        );
    },
  };
}

describe('a refusal', () => {
  test('names the rule, and neither the URL nor what its name resolved to', async (t) => {
    const guard = guardOf(t, {}, { lookup: resolverOf({ 'inside.example': ['10.20.30.40'] }) });
    for (const url of ['http://inside.example/x', 'http://gone.example/x', 'http://10.20.30.40/x', 'x', 'ftp://a']) {
      const error = await guard.check(url, 'public').catch((thrown: unknown) => thrown);
      assert.ok(error instanceof GreenroomError);
      assert.equal(error.status, 403);
      assert.deepEqual(Object.keys(error.details ?? {}), ['rule']);
      assert.doesNotMatch(JSON.stringify(error.toWire()), /10\.20|inside|gone|ENOTFOUND|ftp:/);
    }
  });

  test('comes by the first rule that is broken', (t) => {
    const guard = guardOf(t, { requireHttps: true, allowHosts: ['*.example.com', '10.*'] });
    const ruleOf = (url: string) => {
      try {
        return guard.parse(url, 'public').hostname;
      } catch (thrown) {
        return problemOf(thrown);
      }
    };
    assert.equal(ruleOf('ftp://u@10.0.0.1\\'), 'invalid_url');
    assert.equal(ruleOf('ftp://u@10.0.0.1'), 'scheme_not_allowed');
    assert.equal(ruleOf('http://u@10.0.0.1'), 'credentials_in_url');
    assert.equal(ruleOf('http://10.0.0.1'), 'https_required');
    assert.equal(ruleOf('https://192.168.0.1'), 'host_not_allowed');
    assert.equal(ruleOf('https://10.0.0.1'), 'address_not_allowed');
    assert.equal(ruleOf('https://api.example.com'), 'api.example.com');
  });
});

describe('allowHosts', () => {
  const allows = (allowHosts: string[], url: string) => {
    const guard = new Guard({ allowHosts, allowAddresses: ['fd00::/8'] }, DEFAULT_LIMITS);
    try {
      guard.parse(url, 'public');
      return true;
    } catch (thrown) {
      assert.equal(problemOf(thrown), 'host_not_allowed');
      return false;
    }
  };
  const cases: [patterns: string[], fits: string[], not: string[]][] = [
    [
      ['api.example.com'],
      [
        'https://api.example.com/',
        'https://API.example.com.',
        'https://ａpi.example.com',
        'http://api.example.com:81/x',
      ],
      [
        'https://example.com',
        'https://api.example.com.evil.test',
        'https://xapi.example.com',
        'https://a/api.example.com',
      ],
    ],
    [
      ['*.Example.com.'],
      ['https://a.example.com', 'https://a.b.example.com.'],
      ['https://example.com', 'https://8.8.8.8'],
    ],
    [['xn--bcher-kva.example'], ['https://bücher.example'], ['https://bucher.example']],
    [['8.8.8.*'], ['https://8.8.8.8', 'https://0x08080808', 'https://８.8.8.8'], ['https://8.8.4.4']],
    [['[FD00::1]', 'fd01::*'], ['https://[fd00:0::1]', 'https://[fd01::9]'], ['https://[fd00::2]']],
    [['*'], ['https://a', 'https://[fd00::1]'], []],
    [[], [], ['https://a', 'https://8.8.8.8']],
  ];
  for (const [patterns, fits, not] of cases) {
    test(JSON.stringify(patterns), () => {
      for (const url of fits) assert.equal(allows(patterns, url), true, url);
      for (const url of not) assert.equal(allows(patterns, url), false, url);
    });
  }

  test('and requireHttps say nothing of this machine, which a trusted registration may reach', async (t) => {
    const lookup = resolverOf({ localhost: ['127.0.0.1'] });
    const guard = guardOf(t, { allowHosts: [], requireHttps: true }, { lookup });
    assert.equal(await verdictOf(guard.check('http://localhost', 'loopback')), 'localhost');
    assert.equal(await verdictOf(guard.check('http://localhost', 'public')), 'https_required');
    assert.equal(await verdictOf(guard.check('http://example.com', 'loopback')), 'https_required');
  });
});

describe('a name that is registered', () => {
  test('is refused for one bad address among good ones, in any place', async (t) => {
    for (const addresses of [
      [PUBLIC, '10.0.0.1'],
      ['10.0.0.1', PUBLIC],
      [PUBLIC, '::1', PUBLIC],
    ]) {
      const guard = guardOf(t, {}, { lookup: resolverOf({ 'a.example': addresses }) });
      assert.equal(await verdictOf(guard.check('https://a.example', 'public')), 'address_not_allowed');
    }
  });

  test('may lead to what the operator opened', async (t) => {
    const lookup = resolverOf({ 'a.example': [PUBLIC, '10.0.0.1'] });
    const guard = guardOf(t, { allowAddresses: ['10.0.0.0/30'] }, { lookup });
    assert.equal(await verdictOf(guard.check('https://a.example', 'public')), 'a.example');
  });

  test('`localhost` is refused when it leads elsewhere, even to what the operator opened', async (t) => {
    for (const addresses of [[PUBLIC], ['127.0.0.1', '10.0.0.1'], ['127.0.0.1', PUBLIC]]) {
      const lookup = resolverOf({ localhost: addresses });
      const guard = guardOf(t, { allowAddresses: ['0.0.0.0/0'] }, { lookup });
      assert.equal(await verdictOf(guard.check('http://localhost', 'loopback')), 'loopback_only');
    }
  });

  test('is looked up once for all who ask meanwhile, and again for who asks later', async (t) => {
    const resolver = silent();
    const guard = guardOf(t, {}, { lookup: resolver.lookup });
    const checks = [1, 2, 3].map(() => verdictOf(guard.check('https://a.example', 'public')));
    assert.deepEqual(resolver.asked, ['a.example']);
    resolver.answer([PUBLIC]);
    assert.deepEqual(await Promise.all(checks), ['a.example', 'a.example', 'a.example']);
    const later = verdictOf(guard.check('https://a.example', 'public'));
    resolver.answer(['10.0.0.1']);
    assert.equal(await later, 'address_not_allowed');
    assert.deepEqual(resolver.asked, ['a.example', 'a.example']);
  });

  test('is refused when the answer takes too long', async (t) => {
    const guard = guardOf(t, {}, { lookup: silent().lookup, lookupTimeoutMs: 1 });
    assert.equal(await verdictOf(guard.check('https://a.example', 'public')), 'lookup_failed');
  });

  test('need not be waited for', async (t) => {
    const resolver = silent();
    const guard = guardOf(t, {}, { lookup: resolver.lookup });
    const controller = new AbortController();
    const checked = codeOf(guard.check('https://a.example', 'public', controller.signal));
    controller.abort();
    assert.equal(await checked, 'cancelled');
    assert.equal(await codeOf(guard.check('https://b.example', 'public', controller.signal)), 'cancelled');
    assert.deepEqual(resolver.asked, ['a.example']);
  });

  test('leaves neither a timer nor a listener behind', async (t) => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const guard = guardOf(t, {}, { lookup: resolverOf({ 'a.example': [PUBLIC] }) });
    const before = timers();
    const { signal } = new AbortController();
    await guard.check('https://a.example', 'public', signal);
    assert.equal(await verdictOf(guard.check('https://gone.example', 'public', signal)), 'lookup_failed');
    assert.equal(timers(), before);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  test('waits in no line: beyond 256 names the runtime says that it is overloaded', async (t) => {
    const resolver = silent();
    const guard = guardOf(t, {}, { lookup: resolver.lookup });
    const checks = Array.from({ length: 256 }, (_, index) => guard.check(`https://a${index}.example`, 'public'));
    assert.equal(await codeOf(guard.check('https://more.example', 'public')), 'runtime_overloaded');
    const known = guard.check('https://a0.example', 'public');
    resolver.answer([PUBLIC]);
    await Promise.all([...checks, known]);
    const after = guard.check('https://more.example', 'public');
    resolver.answer([PUBLIC]);
    assert.equal((await after).hostname, 'more.example');
    assert.equal(resolver.asked.length, 257);
  });
});

describe('a secret', () => {
  test('is what the variable holds at the moment, if its name is allowed', (t) => {
    const environment: Record<string, string> = { API_KEY: 'one' };
    const guard = guardOf(t, { variables: ['API_*'], environment });
    assert.equal(guard.secret('API_KEY'), 'one');
    environment['API_KEY'] = 'two';
    assert.equal(guard.secret('API_KEY'), 'two');
  });

  test('that is not set, empty, not allowed or no variable at all looks the same', (t) => {
    const environment = { API_EMPTY: '', OTHER: 'x', api_key: 'x' };
    const guard = guardOf(t, { variables: ['API_*'], environment });
    for (const name of ['API_KEY', 'API_EMPTY', 'OTHER', 'api_key', ''])
      assert.equal(guard.secret(name), undefined, name);
    const all = guardOf(t, { variables: ['*'], environment });
    for (const name of ['toString', 'constructor', '__proto__']) assert.equal(all.secret(name), undefined, name);
    assert.equal(guardOf(t, { environment }).secret('OTHER'), undefined);
  });

  test('comes from the environment of the process by default', (t) => {
    process.env['GREENROOM_TEST_SECRET'] = 'x';
    t.after(() => delete process.env['GREENROOM_TEST_SECRET']);
    const guard = new Guard({ variables: ['*'] }, DEFAULT_LIMITS);
    assert.equal(guard.secret('GREENROOM_TEST_SECRET'), 'x');
    assert.equal(guard.secret('toString'), undefined);
  });
});

describe('an option is refused by its place, without its value', () => {
  const cases: [given: unknown, message: string][] = [
    [[], 'http must be an object'],
    [{ allowHost: [] }, 'http.allowHost is not an option'],
    [{ allowHosts: 'a' }, 'http.allowHosts must be a list of patterns'],
    ...['', 'https://a', 'a/b', 'a:80', '1.2.3.4:80', 'bücher.example', 'a b', '[::1', '::1]', 'a'.repeat(254)].map(
      (pattern): [unknown, string] => [
        { allowHosts: ['*', pattern] },
        'http.allowHosts[1] must be a pattern of a host name or an address, without scheme, port and path, and in its xn-- form',
      ],
    ),
    [{ allowAddresses: ['10.1.0.0/8'] }, 'http.allowAddresses[0] must be an IP address, or a network like 10.0.0.0/8'],
    [{ requireHttps: 'yes' }, 'http.requireHttps must be true or false'],
    [{ variables: ['A B'] }, 'http.variables[0] must be a pattern of the names of environment variables'],
    [{ ca: 'my-secret' }, 'http.ca must be certificates in PEM'],
    [
      { ca: '-----BEGIN CERTIFICATE-----\nmy-secret\n-----END CERTIFICATE-----' },
      'http.ca must be certificates in PEM',
    ],
    [{ environment: ['my-secret'] }, 'http.environment must be an object'],
    [{ caFile: 'x' }, 'http.caFile is not an option'],
  ];
  for (const [given, message] of cases) {
    test(JSON.stringify(given).slice(0, 80), () => {
      assert.throws(() => new Guard(given as EgressOptions, DEFAULT_LIMITS), { code: 'invalid_option', message });
    });
  }
});

test('undici is not loaded before the first connection', () => {
  const script = `
    import { createRequire } from 'node:module';
    const { Guard } = await import(${JSON.stringify(new URL('../../lib/egress/guard.js', import.meta.url))});
    const { DEFAULT_LIMITS } = await import(${JSON.stringify(new URL('../../lib/limits.js', import.meta.url))});
    const guard = new Guard({ allowAddresses: ['127.0.0.1'] }, DEFAULT_LIMITS);
    const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => /node_modules.undici/.test(file));
    const url = await guard.check('http://127.0.0.1/', 'public');
    const before = isLoaded();
    await guard.dispatcher(url, 'public');
    console.log(JSON.stringify([before, isLoaded()]));`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 30_000 });
  assert.deepEqual(JSON.parse(printed.toString()), [false, true]);
});
