import assert from 'node:assert/strict';
import { test } from 'node:test';
import { argumentsOf, environmentOf } from '../../lib/host/process-options.ts';

test('a process gets the options that concern code, a heap of its own, and nothing of the inspector or the script', () => {
  const given = [
    '--enable-source-maps',
    '--import',
    './hook.js',
    '--conditions=dev',
    '--max-old-space-size=9',
    '--max_old_space_size=9',
  ];
  const kept = ['--enable-source-maps', '--import', './hook.js', '--conditions=dev', '--max-old-space-size=64'];
  const own = [
    '--inspect',
    '--inspect-brk=0',
    '--inspect-port=1',
    '--test',
    '--watch',
    '--test-name-pattern',
    'a name',
    '--cpu-prof',
    '--input-type=module',
  ];
  assert.deepEqual(argumentsOf([...own, ...given, '-e', 'run()', '--print', '1'], 64), kept);
  assert.deepEqual(argumentsOf(['-e', 'run()', '--enable-source-maps'], 64).length, 2);
});

test('its environment is that of the runtime, but for such options', () => {
  assert.deepEqual(environmentOf({ A: '1' }), { A: '1' });
  const env = { A: '1', NODE_OPTIONS: '--inspect --enable-source-maps --max-old-space-size=9' };
  assert.deepEqual(environmentOf(env), { A: '1', NODE_OPTIONS: '--enable-source-maps' });
});
