// What an author does to bring old states along, as docs/state.md shows it. What can go wrong is in the suite of all hosts.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { migrateState } from '../../lib/host/migration.ts';
import { loadActor } from '../../lib/host/modules.ts';
import { temporaryFolder } from '../support/start-runtime.ts';

const PAGE = new URL('../../../docs/state.md', import.meta.url); // this file runs from dist/test/host

test('the example of docs/state.md does what it says', async (t) => {
  const example = /```ts\n([^]*?)```/.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? '';
  const file = join(temporaryFolder(t), 'wallet.mjs');
  writeFileSync(
    file,
    example
      .replace("'valibot'", JSON.stringify(import.meta.resolve('valibot')))
      .replace("'greenroom/actor'", JSON.stringify(new URL('../../lib/actor.js', import.meta.url).href)),
  );
  const actor = await loadActor(pathToFileURL(file).href);
  const logged: unknown[] = [];
  const migrate = (state: string, stateVersion: number) =>
    migrateState(actor, { state, stateVersion }, 1_000, (fields) => logged.push(fields));
  assert.equal(migrate('{"amount":"12.34"}', 1), '{"cents":1234}');
  const refusal = (reason: string) => ({ code: 'migration_failed', details: { from: 0, to: 2, reason } });
  const text = 'Wallets from before versions are not read any more.';
  assert.throws(() => migrate('{}', 0), refusal(`\`migrate\` refused it: ${text}`));
  assert.deepEqual(logged, []);
  assert.throws(() => migrate('{"cents":1}', 1), {
    code: 'migration_failed',
    details: { from: 1, to: 2, reason: '`migrate` threw an error.' },
  });
  assert.equal(logged.length, 1);
});
