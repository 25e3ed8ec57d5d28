// The matrix of faults, seen by an application that embeds the runtime; and its page in the documentation.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { testFaults } from './fault-promises.ts';
import { faultsPage } from './faults-doc.ts';

testFaults('embedded');

test('docs/faults.md says what the table says; if not, build and run `node dist/test/e2e/faults-doc.js`', () => {
  assert.equal(readFileSync(new URL('../../../docs/faults.md', import.meta.url), 'utf8'), faultsPage());
});
