// The same for what one input causes elsewhere: all of it if the input has completed, and else nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scene } from './scene.ts';
import type { Scene } from './scene.ts';

test('children that were told by an input that has not completed are found, and those that are not there', () => {
  const family = (change: (s: Scene) => void): Record<string, number> =>
    scene((s) => {
      s.add('child', 'crash-once');
      change(s);
    }, 'crash-parent');
  const tell = (s: Scene, attempt = 1): void => {
    s.input('1', { from: 'w', attempt }, 'child');
    s.run('1', 1, 'child');
    s.output('1', { workerId: 'child' });
  };
  const told = [{ workerId: 'child', inputId: 'i1' }];
  const begin = (s: Scene): void => {
    s.input('1');
    s.run('1');
  };
  assert.deepEqual(
    family((s) => {
      begin(s);
      s.output('1', { told });
      tell(s);
    }),
    {},
  );
  const early = family((s) => {
    begin(s);
    s.entry('failed', 'i1', { code: 'host_lost' });
    tell(s);
  });
  assert.deepEqual(early, { torn: 1 });
  const late = family((s) => {
    begin(s);
    s.output('1', { told });
  });
  assert.deepEqual(late, { torn: 1 });
  const stale = family((s) => {
    begin(s);
    s.run('1', 2);
    s.output('1', { attempt: 2, told });
    tell(s, 1);
  });
  assert.deepEqual(stale, { torn: 1 });
});

test('timers that did not ring are found, and those that nobody has set', () => {
  const silent = scene((s) => {
    s.input('1');
    s.run('1');
    s.output('1', { rings: 1 });
  });
  assert.deepEqual(silent, { torn: 1 });
  const early = scene((s) => {
    s.input('1');
    s.run('1');
    s.entry('failed', 'i1', { code: 'host_lost' });
    s.whole('1/0');
  });
  assert.deepEqual(early, { torn: 1 });
});

test('of volatile inputs a crash may leave nothing, or the beginning only', () => {
  const cut = (s: Scene): void => {
    s.ack('1');
    s.hear({ op: 'outcome', workerId: 'w', name: '1', outcome: 'completed' });
    s.run('1');
    s.ack('2');
    s.input('2');
    s.run('2');
  };
  assert.deepEqual(scene(cut, 'crash-volatile'), {});
  assert.deepEqual(scene(cut, 'crash-once'), { missing: 1, outcome: 1, ran_unaccepted: 1, unended: 1 });
});
