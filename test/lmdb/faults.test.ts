// The points at which a process can be made to die, in processes that do.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const FAULTS = new URL('../../lib/lmdb/faults.js', import.meta.url).href;

function run(script: string, variable?: string) {
  const { signal, status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', `import { fault } from ${JSON.stringify(FAULTS)};\n${script}`],
    { env: variable === undefined ? {} : { GREENROOM_FAULT: variable }, encoding: 'utf8', timeout: 30_000 },
  );
  return { signal, status, stdout, stderr };
}

const THREE = `import { writeSync } from 'node:fs';
for (let i = 1; i <= 3; i++) { fault('fold'); fault('before-commit'); writeSync(1, i + ' '); }`;

test('without the variable every point is passed', () => {
  assert.deepEqual(run(THREE), { signal: null, status: 0, stdout: '1 2 3 ', stderr: '' });
});

test('the process kills itself at the passage that was asked for, and says so', () => {
  const killed = { signal: 'SIGKILL', status: null, stdout: '1 ', stderr: 'fault before-commit fired\n' };
  assert.deepEqual(run(THREE, 'before-commit:2'), killed);
});

test('a passage that is never reached kills nothing', () => {
  assert.deepEqual(run(THREE, 'before-commit:4'), { signal: null, status: 0, stdout: '1 2 3 ', stderr: '' });
});

for (const variable of ['befor-commit:1', 'fold', 'fold:0', 'fold:x']) {
  test(`${variable} names no passage, and ends the process with an error`, () => {
    const { status, stdout, stderr } = run(THREE, variable);
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    assert.match(stderr, /RangeError: GREENROOM_FAULT must be NAME:COUNT/);
  });
}
