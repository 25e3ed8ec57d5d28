// The installed SDK has what greenroom/remote builds on, and one that has not is refused by name.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { registerWorker } from 'iii-sdk';
import { requireSeam } from '../../lib/remote/seam.ts';
import { startStub } from './stub.ts';

const ROOT = new URL('../../../', import.meta.url); // this file runs from dist/test/remote

test('the installed SDK fits', async (t) => {
  const stub = await startStub(t);
  const client = registerWorker(stub.url, { otel: { enabled: false }, enableMetricsReporting: false });
  t.after(() => client.shutdown());
  assert.equal(requireSeam(client), client);
});

test('another one is refused with the names of what it lacks', async (t) => {
  const stub = await startStub(t);
  const client = registerWorker(stub.url, { otel: { enabled: false }, enableMetricsReporting: false });
  t.after(() => client.shutdown());
  const other = Object.assign(Object.create(client) as typeof client, { sendMessageRaw: undefined, invocations: {} });
  assert.throws(() => requireSeam(other), {
    code: 'unsupported_operation',
    message: 'This version of iii-sdk has no sendMessageRaw, invocations; greenroom/remote is made for 0.22.1.',
  });
});

test('the SDK that is tested is the one that is named, and the one that users may install', () => {
  const read = (name: string) => JSON.parse(readFileSync(new URL(name, ROOT), 'utf8')) as Manifest;
  const { devDependencies, peerDependencies } = read('package.json');
  const { version } = read('node_modules/iii-sdk/package.json');
  assert.deepEqual([devDependencies['iii-sdk'], peerDependencies['iii-sdk']], [version, `^${version}`]);
});

interface Manifest {
  version: string;
  devDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
}
