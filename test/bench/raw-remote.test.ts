// The remote that the scenarios measure with, on a real gateway: a figure is only as good as what it says it has done.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openGateway } from '../../bench/support/gateway.ts';
import type { OpenGateway } from '../../bench/support/gateway.ts';
import { functionIdOf, RawRemote } from '../../bench/support/raw-remote.ts';
import type { RemoteEvents } from '../../bench/support/raw-remote.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';

async function open(t: TestContext): Promise<OpenGateway> {
  const gateway = await openGateway();
  t.after(() => gateway.close());
  return gateway;
}

async function connect(gateway: OpenGateway, number: number, events: RemoteEvents = {}): Promise<RawRemote> {
  const remote = new RawRemote(gateway.address, functionIdOf(number), events);
  await remote.connect();
  return remote;
}

test('a remote that has connected is registered, and echoes', async (t) => {
  const gateway = await open(t);
  const called: string[] = [];
  await connect(gateway, 7, { called: (id) => void called.push(id) });
  const question = { id: 1, text: 'as it is' };
  assert.deepEqual(await gateway.call(functionIdOf(7), question), question);
  assert.equal(called.length, 1);
});

test('its calls are answered to it by their ids, errors by their codes', async (t) => {
  const gateway = await open(t);
  const answers = new Map<string, string | null>();
  const remote = await connect(gateway, 0, { answered: (id, code) => void answers.set(id, code) });
  const [good, bad] = [remote.call(functionIdOf(0), 1), remote.call(functionIdOf(1), 1)];
  await eventually(() => answers.size === 2);
  assert.deepEqual(
    answers,
    new Map([
      [good, null],
      [bad, 'function_not_found'],
    ]),
  );
});

test('one that was killed calls nobody, and takes its place again when it connects', async (t) => {
  const gateway = await open(t);
  const remote = await connect(gateway, 0);
  const ownerOf = (): unknown => gateway.runtime.functions.get(functionIdOf(0))?.owner;
  const first = ownerOf();
  remote.kill();
  assert.equal(remote.call(functionIdOf(0), 1), null);
  await remote.connect();
  assert.notEqual(ownerOf(), undefined);
  assert.notEqual(ownerOf(), first);
  assert.equal(await gateway.call(functionIdOf(0), 'back'), 'back');
});

test('an answer that is an error fails the call: no scenario counts it', async (t) => {
  const gateway = await open(t);
  assert.equal(await codeOf(gateway.call(functionIdOf(0), 1)), 'function_not_found');
});
