// A checker that cannot fail is a defect: each kind of violation, and that it is found; and that what is right is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chainOfEntries } from './account.ts';
import { AT, scene } from './scene.ts';
import type { Scene } from './scene.ts';

test('what is right is found to be right', () => {
  const broken = scene((s) => {
    s.whole('1');
    s.whole('2');
    s.hear({ op: 'outcome', workerId: 'w', name: '1', outcome: 'completed', output: s.of().entries[1]?.data });
    s.hear({ op: 'read', workerId: 'w', after: 1, to: 3, chain: chainOfEntries(s.of().entries.slice(1, 3)) });
    s.ack('3');
    s.input('3');
    s.run('3');
    s.entry('failed', 'i3', { code: 'host_lost' });
    s.hear({ op: 'outcome', workerId: 'w', name: '3', outcome: 'unknown', code: 'host_lost' });
  });
  assert.deepEqual(broken, {});
});

test('an acknowledged input that is not there is found', () => {
  assert.deepEqual(
    scene((s) => s.ack('1')),
    { missing: 1 },
  );
});

test('an input that is there under another id is found', () => {
  const broken = scene((s) => {
    s.whole('1');
    s.ack('1', { inputId: 'other' });
  });
  assert.deepEqual(broken, { missing: 1 });
});

test('an input without an outcome is found, whether it was acknowledged or not', () => {
  assert.deepEqual(
    scene((s) => s.input('1')),
    { unended: 1 },
  );
});

test('a second outcome is found', () => {
  const broken = scene((s) => {
    s.whole('1');
    s.entry('failed', 'i1', { code: 'host_lost' });
  });
  assert.deepEqual(broken, { ended_twice: 1 });
});

test('an outcome that is not what was told is found', () => {
  const told = [
    { outcome: 'failed', code: 'asked_to_fail' },
    { outcome: 'unknown' },
    { outcome: 'expired' },
    { outcome: 'completed', output: { name: '1', attempt: 2 } },
  ];
  for (const outcome of told) {
    const broken = scene((s) => {
      s.whole('1');
      s.hear({ op: 'outcome', workerId: 'w', name: '1', ...outcome });
    });
    assert.deepEqual(broken, { outcome: 1 }, outcome.outcome);
  }
});

test('an outcome that was told of an input that is gone is found', () => {
  assert.deepEqual(
    scene((s) => s.hear({ op: 'outcome', workerId: 'w', name: '1', outcome: 'completed' })),
    { outcome: 1 },
  );
});

test('a removed input that completed after all is found', () => {
  const broken = scene((s) => {
    s.whole('1');
    s.hear({ op: 'removed', workerId: 'w', name: '1' });
  });
  assert.deepEqual(broken, { outcome: 1, ran_ended: 1 });
});

test('an input that was accepted twice is found', () => {
  const broken = scene((s) => {
    s.whole('1');
    s.entry('input', 'again', { n: 1 });
    s.entry('cancelled', 'again', { code: 'cancelled' });
  });
  assert.deepEqual(broken, { accepted_twice: 1 });
});

test('an input that stands before one that was acknowledged before it was sent is found', () => {
  const broken = scene((s) => {
    s.ack('1');
    s.ack('2');
    for (const name of ['2', '1']) {
      s.input(name);
      s.run(name);
      s.output(name);
    }
  });
  assert.deepEqual(broken, { order: 1 });
});

test('inputs that were under way at the same time may stand in either order', () => {
  const broken = scene((s) => {
    s.ack('1', { sentUs: 1 });
    s.ack('2', { sentUs: 1 });
    for (const name of ['2', '1']) {
      s.input(name);
      s.run(name);
      s.output(name);
    }
  });
  assert.deepEqual(broken, {});
});

test('lines of a batch that have changed their order are found', () => {
  const broken = scene((s) => {
    s.ack('1', { sentUs: 1, batch: 'b', line: 0 });
    s.ack('2', { sentUs: 1, batch: 'b', line: 1 });
    for (const name of ['2', '1']) {
      s.input(name);
      s.run(name);
      s.output(name);
    }
  });
  assert.deepEqual(broken, { order: 1 });
});

test('inputs that were handled in another order than they were accepted in are found', () => {
  const broken = scene((s) => {
    for (const name of ['1', '2']) s.ack(name);
    for (const name of ['1', '2']) s.input(name);
    for (const name of ['2', '1']) {
      s.run(name);
      s.output(name);
    }
  });
  assert.deepEqual(broken, { order: 2 });
});

test('an input that ran twice in the same attempt is found', () => {
  const broken = scene((s) => {
    s.whole('1');
    s.run('1');
  }, 'crash-again');
  assert.deepEqual(broken, { ran_twice: 1 });
});

test('an input that ran again where nothing may run again is found', () => {
  const twice = (s: Scene): void => {
    s.ack('1');
    s.input('1');
    s.run('1');
    s.run('1', 2);
    s.output('1', { attempt: 2 });
  };
  assert.deepEqual(scene(twice, 'crash-once'), { ran_twice: 1 });
  assert.deepEqual(scene(twice, 'crash-again'), {});
});

test('an input that ran and was not accepted is found', () => {
  assert.deepEqual(
    scene((s) => s.run('1')),
    { ran_unaccepted: 1 },
  );
});

test('an input that ran although it was refused or has expired is found', () => {
  const refused = scene((s) => {
    s.whole('1');
    s.hear({ op: 'refused', workerId: 'w', name: '1', code: 'worker_busy' });
  });
  assert.deepEqual(refused, { ran_ended: 1 });
  const expired = scene((s) => {
    s.input('1');
    s.run('1');
    s.entry('cancelled', 'i1', { code: 'expired' });
  });
  assert.deepEqual(expired, { ran_ended: 1 });
});

test('an outcome of an input that has not run is found', () => {
  const broken = scene((s) => {
    s.input('1');
    s.output('1');
  });
  assert.deepEqual(broken, { not_run: 1 });
});

test('a gap in a transcript is found', () => {
  const broken = scene((s) => {
    s.whole('1');
    s.of().entries.push({ sequence: 4, at: AT, type: 'stopped', data: null });
  });
  assert.deepEqual(broken, { gap: 1 });
});

test('a transcript that is not what somebody has read is found, changed or cut short', () => {
  const read = (s: Scene, chain: string, to = 2): void => s.hear({ op: 'read', workerId: 'w', after: 0, to, chain });
  const changed = scene((s) => {
    s.whole('1');
    read(s, 'another');
  });
  assert.deepEqual(changed, { rewritten: 1 });
  const cut = scene((s) => {
    s.whole('1');
    read(s, chainOfEntries(s.of().entries), 3);
  });
  assert.deepEqual(cut, { rewritten: 1 });
});

test('a state that is not what the outcomes imply is found, in an output and in the worker', () => {
  const output = scene((s) => {
    s.whole('1');
    s.of().state = { count: 0, chain: '' };
    s.whole('2');
  });
  assert.deepEqual(output, { state: 1 });
  const state = scene((s) => {
    s.whole('1');
    s.of().state = { count: 0, chain: '' };
  });
  assert.deepEqual(state, { state: 1 });
});

test('a worker that is not what was acknowledged is found', () => {
  const is = (life: 'active' | 'stopped' | 'deleted', status: string | null): Record<string, number> =>
    scene((s) => {
      s.hear({ op: 'life', workerId: 'w', kind: 'crash-once', is: life });
      s.of().status = status;
    });
  for (const status of ['stopped', 'failed', null]) assert.deepEqual(is('active', status), { life: 1 });
  for (const status of ['idle', null]) assert.deepEqual(is('stopped', status), { life: 1 });
  assert.deepEqual(is('deleted', 'idle'), { life: 1 });
  assert.deepEqual(is('deleted', null), {});
  assert.deepEqual(is('stopped', 'stopped'), {});
});

test('what a deleted worker had is found when it is there again', () => {
  const broken = scene((s) => {
    s.whole('1');
    s.hear({ op: 'life', workerId: 'w', kind: 'crash-once', is: 'deleted' });
    s.hear({ op: 'life', workerId: 'w', kind: 'crash-once', is: 'active' });
  });
  assert.deepEqual(broken, { erased: 1 });
});

test('a worker of which nothing is certain is not judged', () => {
  const broken = scene((s) => {
    s.ack('1');
    s.hear({ op: 'life', workerId: 'w', kind: 'crash-once', is: 'unsure' });
  });
  assert.deepEqual(broken, {});
});

test('where the oldest entries were dropped, only what came after the oldest kept must be there', () => {
  const trimmed = (names: readonly string[]): Record<string, number> =>
    scene((s) => {
      for (const name of ['1', '2', '3']) s.whole(name);
      const answer = s.of();
      answer.entries = answer.entries.filter(({ input_id: id }) => names.includes(id ?? ''));
      answer.entries = answer.entries.map((entry, at) => ({ ...entry, sequence: 7 - 2 * names.length + at }));
    });
  assert.deepEqual(trimmed(['i2', 'i3']), {});
  assert.deepEqual(trimmed(['i3']), {});
  assert.deepEqual(trimmed(['i2'])['missing'], 1);
});
