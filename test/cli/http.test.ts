// What the configuration says of what may be reached, and how it comes to the runtime.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { rootCertificates } from 'node:tls';
import { resolveHttp } from '../../lib/cli/http.ts';
import { CannotStart } from '../../lib/cli/say.ts';
import { readConfig } from '../../lib/config.ts';
import type { Config } from '../../lib/config.ts';
import { GreenroomError } from '../../lib/errors.ts';
import { codeOf, startRuntime, temporaryFolder } from '../support/start-runtime.ts';
import { Cli, options, started } from './harness.ts';

const CERTIFICATE = rootCertificates[0] ?? '';

function read(t: TestContext, http: unknown): Config['http'] & { readonly cwd: string } {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, 'g.json'), JSON.stringify({ http }));
  return { ...readConfig({ flags: { config: 'g.json' }, environment: {}, cwd }).http, cwd };
}

describe('the key `http` of the file', () => {
  test('takes everything that can be said, and makes the path of the certificates absolute', (t) => {
    const given = {
      allowHosts: ['*.example.com'],
      allowAddresses: ['10.0.0.0/8', 'fd00::1'],
      requireHttps: true,
      variables: ['API_*'],
    };
    const { cwd, ...http } = read(t, { ...given, caFile: 'ca.pem' });
    assert.deepEqual(http, { ...given, caFile: join(cwd, 'ca.pem') });
  });

  const cases: [given: unknown, message: string][] = [
    ['on', 'http in g.json must be an object'],
    [[], 'http in g.json must be an object'],
    [{ allowHost: ['*'] }, 'http.allowHost in g.json is not an option'],
    [
      { allowAddresses: ['::1', '10.0.0.1/8'] },
      'http.allowAddresses[1] in g.json must be an IP address, or a network like 10.0.0.0/8',
    ],
    [{ variables: ['*', 7] }, 'http.variables[1] in g.json must be a pattern of the names of environment variables'],
    [{ caFile: '' }, 'http.caFile in g.json must be the path of a file'],
    [{ ca: CERTIFICATE }, 'http.ca in g.json is not an option'],
    [{ environment: {} }, 'http.environment in g.json is not an option'],
  ];
  for (const [given, message] of cases) {
    test(`refuses ${JSON.stringify(given).slice(0, 60)} and names the place`, (t) => {
      assert.throws(
        () => read(t, given),
        (thrown) => thrown instanceof GreenroomError && thrown.code === 'invalid_option' && thrown.message === message,
      );
    });
  }
});

describe('what the runtime gets of it', () => {
  test('is the certificates from their file, and the environment as it is', (t) => {
    const caFile = join(temporaryFolder(t), 'ca.pem');
    writeFileSync(caFile, `# first\n${CERTIFICATE}\n${rootCertificates[1]}\n`);
    const environment = { API_KEY: 'x' };
    const http = resolveHttp({ requireHttps: true, caFile }, environment);
    assert.deepEqual(http, {
      requireHttps: true,
      ca: `# first\n${CERTIFICATE}\n${rootCertificates[1]}\n`,
      environment,
    });
    assert.equal(http.environment, environment);
  });

  test('is refused by createRuntime as by the file', async (t) => {
    assert.equal(await codeOf(startRuntime(t, { http: { allowAddresses: ['10.0.0.1/8'] } })), 'invalid_option');
  });

  test('is nothing when the file cannot be read, or holds no certificate', (t) => {
    const folder = temporaryFolder(t);
    const caFile = join(folder, 'ca.pem');
    const fails = (message: string) =>
      assert.throws(
        () => resolveHttp({ caFile }, {}),
        (thrown) => thrown instanceof CannotStart && thrown.message === message,
      );
    fails(`http.caFile ${caFile} cannot be read (ENOENT)`);
    writeFileSync(caFile, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
    fails(`http.caFile ${caFile} must hold certificates in PEM`);
  });
});

test('the runtime does not start without the certificates that it was told of', options, async (t) => {
  const cwd = temporaryFolder(t);
  const file = join(cwd, 'g.json');
  writeFileSync(file, JSON.stringify({ http: { caFile: '/nowhere/ca.pem' } }));
  const cli = new Cli(t, started('--config', file));
  assert.equal(await cli.exit(), 1);
  assert.match(cli.stderr.at(-1) ?? '', /^greenroom: http\.caFile \/nowhere\/ca\.pem cannot be read \(ENOENT\)$/);
});
