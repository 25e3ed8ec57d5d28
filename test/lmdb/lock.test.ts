// The lock of a store, among processes that live, have died, and start at the same moment.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import { takeLock } from '../../lib/lmdb/lock.ts';
import { temporaryFolder } from '../support/start-runtime.ts';

const LOCK = new URL('../../lib/lmdb/lock.js', import.meta.url).href;

/** Takes the lock when it is told to, says how that went, and stays. */
const TAKER = `
import { takeLock } from ${JSON.stringify(LOCK)};
console.log('ready');
process.stdin.once('data', () => {
  try { takeLock(process.argv[1]); console.log('taken'); }
  catch (error) { console.log(error.code); }
});`;

interface Taker {
  readonly child: ChildProcess;
  readonly line: () => Promise<string>;
}

function startTaker(t: TestContext, file: string): Taker {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', TAKER, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return { child, line: async () => String((await lines.next()).value) };
}

async function take(taker: Taker): Promise<string> {
  taker.child.stdin!.write('go\n');
  return taker.line();
}

async function kill({ child }: Taker): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** What `takeLock` says, and lets go at once when it succeeds. */
function tryLock(file: string): string {
  try {
    takeLock(file).release();
    return 'taken';
  } catch (thrown) {
    return (thrown as GreenroomError).code;
  }
}

const lockFile = (t: TestContext) => join(temporaryFolder(t), 'store.lock');

test('a lock that was released can be taken again, and leaves no file', (t) => {
  const file = lockFile(t);
  const lock = takeLock(file);
  assert.equal(tryLock(file), 'store_in_use');
  lock.release();
  lock.release();
  assert.equal(tryLock(file), 'taken');
  assert.deepEqual(readdirSync(join(file, '..')), []);
});

test('a live owner is named, and its lock stays its own', async (t) => {
  const file = lockFile(t);
  const taker = startTaker(t, file);
  await taker.line();
  assert.equal(await take(taker), 'taken');
  assert.throws(() => takeLock(file), {
    code: 'store_in_use',
    message: `The store is in use by the process ${taker.child.pid}.`,
  });
  await kill(taker);
  assert.equal(tryLock(file), 'taken');
});

test('a lock of an earlier boot, and one of a pid that was used again, are stale', (t) => {
  const file = lockFile(t);
  const lock = takeLock(file);
  const own = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  lock.release();
  const isKnown = own['bootId'] !== null && own['startedAt'] !== null;
  assert.ok(isKnown || process.platform !== 'linux');
  for (const change of [{ bootId: 'another' }, { startedAt: '1' }]) {
    writeFileSync(file, JSON.stringify({ ...own, ...change }));
    assert.equal(tryLock(file), isKnown ? 'taken' : 'store_in_use');
  }
  writeFileSync(file, JSON.stringify(own));
  assert.equal(tryLock(file), 'store_in_use');
});

for (const torn of ['', '{"id":', '[]', '{"id":"../../x","pid":1}']) {
  test(`a file that says nothing, ${JSON.stringify(torn)}, is stale`, (t) => {
    const file = lockFile(t);
    writeFileSync(file, torn);
    assert.equal(tryLock(file), 'taken');
    assert.deepEqual(readdirSync(join(file, '..')), []);
  });
}

test('a lock that is lost while it is held is not released from under another', (t) => {
  const file = lockFile(t);
  const lock = takeLock(file);
  const other = { ...(JSON.parse(readFileSync(file, 'utf8')) as object), id: '0'.repeat(16) };
  writeFileSync(file, JSON.stringify(other));
  lock.release();
  assert.ok(existsSync(file));
});

test('a folder that is not there is a store_failed', (t) => {
  assert.throws(() => takeLock(join(temporaryFolder(t), 'none', 'store.lock')), { code: 'store_failed' });
});

test('of processes that start at the same moment over a stale lock exactly one gets it, round after round', async (t) => {
  const file = lockFile(t);
  for (let round = 0; round < 3; round++) {
    // From the second round on it is the winner of the round before that is dead.
    if (round === 0) writeFileSync(file, 'torn');
    const takers = Array.from({ length: 6 }, () => startTaker(t, file));
    await Promise.all(takers.map((taker) => taker.line()));
    const answers = await Promise.all(takers.map(take));
    assert.deepEqual(answers.toSorted(), [...Array<string>(5).fill('store_in_use'), 'taken']);
    await Promise.all(takers.map(kill));
  }
});

test('a process that died while it replaced a stale lock does not block the next one', async (t) => {
  const file = lockFile(t);
  const [first, second] = [startTaker(t, file), startTaker(t, `${file}.other`)];
  await Promise.all([first.line(), second.line()]);
  await Promise.all([take(first), take(second)]);
  await Promise.all([kill(first), kill(second)]);
  const { id } = JSON.parse(readFileSync(file, 'utf8')) as { id: string };
  writeFileSync(`${file}.${id}`, readFileSync(`${file}.other`));
  assert.equal(tryLock(file), 'taken');
  assert.deepEqual(readdirSync(join(file, '..')), ['store.lock.other']);
});
