// What fsck says of a store that is sound, and of one from which something was taken, or changed, or in which something was put.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { Encoder } from '../../lib/lmdb/codec.ts';
import { Environment } from '../../lib/lmdb/environment.ts';
import type { Pair } from '../../lib/lmdb/environment.ts';
import { checkStore } from '../../lib/lmdb/fsck.ts';
import { endOfTable, groupKey, META_KEY, nameKey, startOfTable, TABLES } from '../../lib/lmdb/keys.ts';
import type { Table } from '../../lib/lmdb/keys.ts';
import { UNREADABLE, writeWorkerRow } from '../../lib/lmdb/tables.ts';
import { populate } from './populated.ts';

const folder = mkdtempSync(join(tmpdir(), 'greenroom-fsck-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const folded = join(folder, 'folded.mdb');
/** As a crash leaves it: everything in the journal. */
const unfolded = join(folder, 'unfolded.mdb');
before(() => populate(folded, 25, () => copyFileSync(folded, unfolded)));

interface Editor {
  readonly put: (key: Buffer, value: Buffer) => void;
  readonly remove: (key: Buffer) => void;
  /** The first row of a table that fits. */
  readonly first: (table: Table, fits?: (pair: Pair) => boolean) => Pair;
}

/** Findings of a copy of the store in which something was changed, without what is different with every worker. */
async function findingsAfter(source: string, change: (editor: Editor) => void): Promise<string[]> {
  const copy = join(folder, 'copy.mdb');
  copyFileSync(source, copy);
  rmSync(`${copy}-lock`, { force: true });
  const environment = new Environment(copy);
  const first: Editor['first'] = (table, fits = () => true) => {
    const rows = environment.range({ start: startOfTable(table), end: endOfTable(table) });
    for (const row of rows) if (fits(row)) return row;
    throw new Error(`no such row in table ${table}`);
  };
  await environment.write((writer) => {
    change({ put: (key, value) => writer.put(key, value), remove: (key) => writer.remove(key), first });
  });
  await environment.close();
  return [...(await checkStore(copy)).findings];
}

const flip = (value: Buffer, at = value.length - 1): Buffer => {
  const changed = Buffer.from(value);
  changed[at] = (changed[at] as number) ^ 1;
  return changed;
};

test('a sound store has no findings, and leaves no file behind', async () => {
  assert.deepEqual(await checkStore(folded), { findings: [], workers: 25, inputs: 50, groups: 0 });
  const inJournal = await checkStore(unfolded);
  assert.ok(inJournal.groups > 0);
  assert.deepEqual(inJournal, { findings: [], workers: 0, inputs: 0, groups: inJournal.groups });
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('unfolded')),
    ['unfolded.mdb'],
  );
});

describe('fsck finds', () => {
  for (const [name, table, finding] of [
    ['record', TABLES.workers, /^worker worker-0: its record cannot be read$/],
    ['state', TABLES.states, /^worker worker-0: its state cannot be read$/],
    ['config', TABLES.configs, /^worker worker-0: its config cannot be read$/],
    ['block', TABLES.blocks, /^worker worker-0: block 1 of its transcript cannot be read$/],
    ['open input', TABLES.inputs, /^worker worker-0: an input cannot be read$/],
    ['idempotency key', TABLES.keys, /^worker worker-0: an idempotency key cannot be read$/],
    ['timer', TABLES.timers, /^worker worker-0: a timer cannot be read$/],
    ['source', TABLES.sources, /^source source cannot be read$/],
    ['function', TABLES.functions, /^function functions::one cannot be read$/],
    ['child', TABLES.children, /^a child of worker worker-0 cannot be read$/],
    ['dead letter', TABLES.deadLetters, /^dead letter x-1 cannot be read$/],
    ['first record', TABLES.meta, /^the first record cannot be read$/],
    ['due timer', TABLES.dueTimers, /^a timer that will be due cannot be read$/],
    ['row of who has inputs', TABLES.waiting, /^worker worker-0: that it has inputs cannot be read$/],
    ['key that ends', TABLES.endedKeys, /^when an idempotency key is to be forgotten cannot be read$/],
  ] as const) {
    test(`one bit that is wrong in a ${name}`, async () => {
      const findings = await findingsAfter(folded, ({ first, put }) => {
        const { key, value } = first(table);
        put(key, flip(value));
      });
      assert.ok(
        findings.some((line) => finding.test(line)),
        findings.join('\n'),
      );
    });
  }

  for (const [name, table, finding] of [
    ['record', TABLES.workers, 'worker worker-0: is not there, and has records in table S'],
    ['config', TABLES.configs, 'worker worker-0: its config is missing'],
    ['row of who has inputs', TABLES.waiting, 'worker worker-0: is not among those with inputs'],
    ['block', TABLES.blocks, 'worker worker-0: block 1 of its transcript is missing'],
    ['open input', TABLES.inputs, /^worker worker-0: has 1 open inputs of \d+ bytes, and says 2 of \d+$/],
    ['idempotency key', TABLES.keys, 'an idempotency key is to be forgotten that is not there'],
    ['key that ends', TABLES.endedKeys, /^worker worker-0: the idempotency key of input \d+ is never forgotten$/],
    ['timer', TABLES.timers, 'timer 1 will be due, and belongs to no worker'],
    ['due timer', TABLES.dueTimers, 'worker worker-0: timer 1 is not among those that will be due'],
    ['child', TABLES.children, 'worker worker-2: is not among the children of worker worker-0'],
    ['first record', TABLES.meta, 'the first record is missing'],
  ] as const) {
    test(`a ${name} that is gone`, async () => {
      const findings = await findingsAfter(folded, ({ first, remove }) => remove(first(table).key));
      const isFound = findings.some((line) => (typeof finding === 'string' ? line === finding : finding.test(line)));
      assert.ok(isFound, findings.join('\n'));
    });
  }

  test('a worker that was taken out with all its rows', async () => {
    const findings = await findingsAfter(folded, ({ first, remove }) => {
      // The second has no timer.
      const isOf = ({ key }: Pair) => key.includes('worker-1') && !key.includes('worker-1', 1 + 'worker-1'.length);
      remove(nameKey(TABLES.workers, 'worker-1'));
      remove(first(TABLES.states, isOf).key);
    });
    assert.ok(findings.includes('the workers are not as many as the first record says'), findings.join('\n'));
  });

  test('a child that is not there, or is the child of another one', async () => {
    const finding = 'worker worker-2 is not the child of worker worker-0, and is among its children';
    const gone = await findingsAfter(folded, ({ remove }) => remove(nameKey(TABLES.workers, 'worker-2')));
    assert.ok(gone.includes(finding), gone.join('\n'));
    const orphan = await findingsAfter(folded, ({ first, put }) => {
      const { key } = first(TABLES.workers, (pair) => pair.key.equals(nameKey(TABLES.workers, 'worker-2')));
      put(key, withoutFamily(key));
    });
    assert.ok(orphan.includes(finding), orphan.join('\n'));
  });

  test('a record of one worker in the place of another one', async () => {
    const findings = await findingsAfter(folded, ({ first, put }) => {
      const input = first(TABLES.inputs);
      put(first(TABLES.inputs, ({ key }) => !key.equals(input.key)).key, input.value);
    });
    assert.ok(findings.includes('worker worker-0: an input cannot be read'), findings.join('\n'));
  });

  test('a record of no table', async () => {
    const findings = await findingsAfter(folded, ({ put }) => {
      put(Buffer.from('X'), Buffer.from('x'));
      put(Buffer.from('A'), Buffer.from('a'));
    });
    assert.deepEqual(findings, [
      'there is a record of no table before table B',
      'there is a record of no table behind the last one',
    ]);
  });

  test('a group of the journal that is missing, damaged, or another one', async () => {
    const damaged = await findingsAfter(unfolded, ({ first, put }) => {
      const { key, value } = first(TABLES.journal);
      put(key, flip(value, 20));
    });
    assert.deepEqual(damaged, ['group 1 of the journal cannot be read']);
    const missing = await findingsAfter(unfolded, ({ remove }) => remove(groupKey(1)));
    assert.deepEqual(missing, ['group 1 of the journal is missing']);
    const another = await findingsAfter(unfolded, ({ first, put }) => put(groupKey(2), first(TABLES.journal).value));
    assert.deepEqual(another, ['group 2 of the journal cannot be read']);
  });

  test('what a newer version wrote', async () => {
    const findings = await findingsAfter(folded, ({ put }) => {
      const encoder = new Encoder();
      encoder.varint(99);
      const value = encoder.sealedCopy(Buffer.alloc(0));
      put(META_KEY, newer(value));
    });
    assert.deepEqual(findings, ['the first record was written by a newer version']);
  });
});

/** The record of a worker that has just been created from outside. */
function withoutFamily(key: Buffer): Buffer {
  const summary = { ...UNREADABLE, workerId: 'worker-2' };
  const row = { summary, family: null, isolation: null, foldedGroup: 1, failure: null, stateVersion: 0, config: '{}' };
  const encoder = new Encoder();
  writeWorkerRow(encoder, { ...row, transcript: { first: 1, last: 0, blocks: [] } });
  return encoder.sealedCopy(key);
}

/** The same with the next version in its seal. */
function newer(value: Buffer): Buffer {
  const changed = Buffer.from(value);
  changed[4] = (changed[4] as number) + 1;
  changed.writeUInt32BE(crc32(changed.subarray(4)), 0);
  return changed;
}
