// Sources of a runtime that a Backend embeds.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import { codeOf, startRuntime } from '../support/start-runtime.ts';

test('a runtime says which sources it has', async (t) => {
  const runtime = await startRuntime(t, { hosts: 0 });
  assert.deepEqual(runtime.listSources(), { sources: [], nextAfter: null });
  assert.deepEqual((await runtime.describe()).sources, { total: 0, failed: 0 });
  assert.throws(() => runtime.source('a'), { code: 'not_found' });
  assert.equal(await codeOf(runtime.refreshSource('a')), 'not_found');
  assert.equal(await codeOf(runtime.deleteSource('a')), 'not_found');
});

test('a source of a type that is not known is refused, dry or not', async (t) => {
  const runtime = await startRuntime(t, { hosts: 0 });
  for (const dryRun of [true, false] as const) {
    const making = dryRun
      ? runtime.createSource({ name: 'a', type: 'soap' }, { dryRun })
      : runtime.createSource({ name: 'a', type: 'soap' }, { dryRun });
    await assert.rejects(making, (thrown: GreenroomError) => {
      const [issue] = thrown.details?.['issues'] as { path: string }[];
      return thrown.code === 'invalid_request' && issue?.path === 'type';
    });
  }
  assert.equal(await codeOf(runtime.createSource({ name: 'a', type: 'soap', n: 1n })), 'invalid_input');
  await runtime.close({ deadlineMs: 1 });
  assert.equal(await codeOf(runtime.createSource({ name: 'a', type: 'soap' }, { dryRun: true })), 'invalid_request');
});

test('a runtime whose sources are not valid does not start, and leaves no thread behind', () => {
  const script = `
    import { createRuntime } from ${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)};
    const refused = createRuntime({ actors: [], hosts: 1, sources: [{ name: 'a', type: 'soap' }] });
    await refused.catch(({ code, message }) => console.log(JSON.stringify([code, message.split(':')[0]])));`;
  // It ends by itself, which it would not with a thread.
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 30_000 });
  assert.deepEqual(JSON.parse(said.toString()), ['invalid_option', 'sources[0] (a)']);
});
