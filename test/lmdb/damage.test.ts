// Bits that are wrong somewhere in a store: fsck finds them, or nothing that is served is different; what is served is never wrong.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { checkStore } from '../../lib/lmdb/fsck.ts';
import { codeOf } from '../support/start-runtime.ts';
import { seeded } from '../support/seeded.ts';
import { populate, readStore } from './populated.ts';
import type { Served } from './populated.ts';

const WORKERS = 200;
const RUNS = 60;

const folder = mkdtempSync(join(tmpdir(), 'greenroom-damage-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const folded = join(folder, 'folded.mdb');
const unfolded = join(folder, 'unfolded.mdb');
const copy = join(folder, 'copy.mdb');
before(() => populate(folded, WORKERS, () => copyFileSync(folded, unfolded)));

/** Read of a copy: to open a store is to write to it. */
function read(source: string | Buffer): Promise<Served> {
  rmSync(`${copy}-lock`, { force: true });
  writeFileSync(copy, typeof source === 'string' ? readFileSync(source) : source);
  return readStore(copy);
}

/** What is served otherwise than it was, beside workers that are `failed` because of it. */
function differences(expected: Served, served: Served): string[] {
  // A key has no checksum: where its bytes are wrong the record is elsewhere, and not where it is looked for. fsck says so, as the test
  // wants of all that is lost.
  const isMisplaced = (what: string, text: string) =>
    !expected.has(what) || ['list', 'waiting', 'due'].includes(what) || (/ key \d+$/.test(what) && text === 'null');
  const owner = (what: string) => what.split(':', 1)[0] as string;
  const quarantined = new Set(
    [...served]
      .filter(([what, text]) => what.endsWith(': record') && text.includes('"store_corrupt"'))
      .map(([what]) => owner(what)),
  );
  return [...served]
    .filter(
      ([what, text]) =>
        text !== expected.get(what) &&
        text !== 'store_corrupt' &&
        !isMisplaced(what, text) &&
        !quarantined.has(owner(what)),
    )
    .map(([what]) => what);
}

for (const [name, source] of [
  ['in its tables', folded],
  ['in its journal', unfolded],
] as const) {
  describe(`a store with everything ${name}`, () => {
    test('is what it was, when it is read again', async () => {
      const served = await read(source);
      assert.deepEqual(differences(served, await read(source)), []);
      assert.ok(served.size > 5 * WORKERS);
    });

    test('and one bit that is wrong is sound as far as anybody can see, or refused, or some workers of it are', async (t) => {
      const expected = await read(source);
      const sound = readFileSync(source);
      const outcomes = { harmless: 0, refused: 0, quarantined: 0 };
      await fc.assert(
        fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(7), async (at, bit) => {
          const damaged = Buffer.from(sound);
          damaged[at] = (damaged[at] as number) ^ (1 << bit);
          writeFileSync(copy, damaged);
          const isFound = (await checkStore(copy)).findings.length > 0;
          let served: Served | null = null;
          const code = await codeOf(read(damaged).then((found) => void (served = found)));
          if (served === null) {
            assert.equal(code, 'store_corrupt');
            outcomes.refused++;
          } else {
            const isSame = [...expected].every(([what, text]) => (served as Served).get(what) === text);
            assert.deepEqual(differences(expected, served), []);
            assert.ok(isSame || isFound, 'fsck says nothing of what is lost');
            outcomes[isSame ? 'harmless' : 'quarantined']++;
          }
        }),
        { ...seeded(t, RUNS), includeErrorInReport: true },
      );
      // Damage that nobody noticed would prove nothing.
      assert.ok(outcomes.refused + outcomes.quarantined > RUNS / 4, JSON.stringify(outcomes));
    });
  });
}
