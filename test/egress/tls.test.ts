// Connections over TLS, to a server with a certificate of a private authority, which openssl makes for the test.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { request } from 'undici';
import { temporaryFolder } from '../support/start-runtime.ts';
import { get, guardOf, resolverOf } from './setup.ts';

const HERE = ['127.0.0.1'];
const NAMES = { 'api.test': HERE, 'api.test.': HERE, 'other.test': HERE };
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

interface Authority {
  readonly ca: string;
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** An authority, and a certificate of it for api.test and 127.0.0.1. */
function certify(t: TestContext): Authority {
  const folder = temporaryFolder(t);
  const openssl = (...args: string[]) =>
    execFileSync('openssl', ['req', '-x509', ...KEY, ...args], { cwd: folder, stdio: 'pipe' });
  openssl('-subj', '/CN=Private authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  const names = [
    '-addext',
    'subjectAltName=DNS:api.test,IP:127.0.0.1',
    '-addext',
    'basicConstraints=critical,CA:FALSE',
  ];
  openssl('-subj', '/CN=api.test', ...names, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-keyout', 'key', '-out', 'cert');
  const read = (name: string) => readFileSync(join(folder, name));
  return { ca: read('ca.pem').toString(), key: read('key'), cert: read('cert') };
}

/** Answers with the name that the client asked a certificate for. */
async function serveTls(t: TestContext, { key, cert }: Authority): Promise<number> {
  const server = createServer({ key, cert }, ({ socket }, response) => {
    const { servername } = socket as TLSSocket & { servername?: string | false };
    response.end(String(servername));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function scene(t: TestContext, isTrusted = true) {
  const authority = certify(t);
  const port = await serveTls(t, authority);
  const options = { allowAddresses: HERE, requireHttps: true, ...(isTrusted && { ca: authority.ca }) };
  return { port, guard: guardOf(t, options, { lookup: resolverOf(NAMES) }) };
}

describe('a private authority', () => {
  test('is trusted when its certificate is given, and the name is told to the server', async (t) => {
    const { port, guard } = await scene(t);
    assert.equal(await get(guard, `https://api.test:${port}/`), 'api.test');
  });

  test('is not trusted otherwise', async (t) => {
    const { port, guard } = await scene(t, false);
    assert.equal(await get(guard, `https://api.test:${port}/`), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  test('is not trusted because a variable turns the check off for the rest of the process', async (t) => {
    const { port, guard } = await scene(t, false);
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
    assert.equal(await get(guard, `https://api.test:${port}/`), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });
});

describe('the certificate', () => {
  test('must be one for the host of the URL', async (t) => {
    const { port, guard } = await scene(t);
    assert.equal(await get(guard, `https://other.test:${port}/`), 'ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('may be one for an address, which is told to no server', async (t) => {
    const { port, guard } = await scene(t);
    assert.equal(await get(guard, `https://127.0.0.1:${port}/`), 'false');
  });

  test('is the same for a name with a dot at its end', async (t) => {
    const { port, guard } = await scene(t);
    assert.equal(await get(guard, `https://api.test.:${port}/`), 'api.test');
  });

  test('is asked for the host of the URL, whatever the request says in `Host`', async (t) => {
    const { port, guard } = await scene(t);
    const send = async (name: string, host: string) => {
      const url = new URL(`https://${name}:${port}/`);
      const dispatcher = await guard.dispatcher(url, 'public');
      const { body } = await request(url, { dispatcher, headers: { host } });
      return body.text();
    };
    assert.equal(await send('api.test', 'other.test'), 'api.test');
    await assert.rejects(send('other.test', 'api.test'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });
});

test('http is refused where https is required', async (t) => {
  const { port, guard } = await scene(t);
  assert.equal(await get(guard, `http://api.test:${port}/`), 'https_required');
  assert.equal(await get(guard, `https://api.test:${port}/`, 'public', `http://api.test:${port}/`), 'https_required');
});

/** In a process of its own, since Node reads the variable once. Prints what a server of each authority answered. */
test('authorities that are given come on top of those of NODE_EXTRA_CA_CERTS, where Node can tell them', async (t) => {
  const [given, extra] = [certify(t), certify(t)];
  const ports = [await serveTls(t, given), await serveTls(t, extra)];
  const file = join(temporaryFolder(t), 'extra.pem');
  writeFileSync(file, extra.ca);
  const load = (name: string) => `await import(${JSON.stringify(new URL(name, import.meta.url))})`;
  const script = `
    const { guardOf, get, resolverOf } = ${load('./setup.js')};
    const options = { allowAddresses: ['127.0.0.1'], ca: process.env.GIVEN };
    const ends = [];
    const guard = guardOf({ after: (end) => ends.push(end) }, options, { lookup: resolverOf({ 'api.test': ['127.0.0.1'] }) });
    const answers = await Promise.all(${JSON.stringify(ports)}.map((port) => get(guard, 'https://api.test:' + port + '/')));
    for (const end of ends) await end();
    console.log(JSON.stringify(answers));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: file, GIVEN: given.ca },
    timeout: 30_000,
  });
  const expected = 'getCACertificates' in tls ? 'api.test' : 'UNABLE_TO_VERIFY_LEAF_SIGNATURE';
  assert.deepEqual(JSON.parse(stdout), ['api.test', expected]);
});
