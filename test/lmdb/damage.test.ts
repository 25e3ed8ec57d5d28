// Bits that are wrong somewhere in a store: fsck finds them, or nothing that is served is different; what is served is never wrong.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { Environment } from '../../lib/lmdb/environment.ts';
import { checkStore } from '../../lib/lmdb/fsck.ts';
import { codeOf } from '../support/start-runtime.ts';
import { seeded } from '../support/seeded.ts';
import { populate, readStore } from './populated.ts';
import type { Served } from './populated.ts';

const WORKERS = 200;
/** Bits that are turned, in each of two stores; more with DAMAGE_RUNS in the environment. */
const RUNS = Number(process.env['DAMAGE_RUNS'] ?? 60);

const folder = mkdtempSync(join(tmpdir(), 'greenroom-damage-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const folded = join(folder, 'folded.mdb');
const unfolded = join(folder, 'unfolded.mdb');
const copy = join(folder, 'copy.mdb');
before(() => populate(folded, WORKERS, () => copyFileSync(folded, unfolded)));

/** Read of a copy: to open a store is to write to it. */
function read(source: string | Buffer, expected: Served = new Map()): Promise<Served> {
  rmSync(`${copy}-lock`, { force: true });
  writeFileSync(copy, typeof source === 'string' ? readFileSync(source) : source);
  return readStore(copy, ownersOf(expected.keys()));
}

const ownerOf = (what: string): string => what.split(':', 1)[0] as string;
const ownersOf = (whats: Iterable<string>) =>
  [...whats].filter((what) => what.endsWith(': record')).map((what) => ownerOf(what));

/** Places of all keys in the file: of its bytes they are few, and what is wrong in them is the hardest to see. */
async function placesOfKeys(path: string): Promise<number[]> {
  const bytes = readFileSync(path);
  const places = new Set<number>();
  copyFileSync(path, copy);
  const environment = new Environment(copy, { isReadOnly: true });
  for (const { key } of environment.range({ start: Buffer.of(0), end: Buffer.alloc(8, 0xff) }))
    for (let at = bytes.indexOf(key); key.length > 1 && at >= 0; at = bytes.indexOf(key, at + 1))
      for (let n = 0; n < key.length; n++) places.add(at + n);
  await environment.close();
  return [...places];
}

/** What is served otherwise than it was, beside workers that are `failed` because of it. */
function differences(expected: Served, served: Served): string[] {
  const quarantined = new Set(
    [...served]
      .filter(([what, text]) => what.endsWith(': record') && text.includes('"store_corrupt"'))
      .map(([what]) => ownerOf(what)),
  );
  return [...served]
    .filter(
      ([what, text]) => text !== expected.get(what) && text !== 'store_corrupt' && !quarantined.has(ownerOf(what)),
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
      const keys = await placesOfKeys(source);
      const place = fc.oneof(fc.nat(sound.length - 1), fc.constantFrom(...keys));
      const outcomes = { harmless: 0, refused: 0, quarantined: 0 };
      await fc.assert(
        fc.asyncProperty(place, fc.nat(7), async (at, bit) => {
          const damaged = Buffer.from(sound);
          damaged[at] = (damaged[at] as number) ^ (1 << bit);
          writeFileSync(copy, damaged);
          const isFound = (await checkStore(copy)).findings.length > 0;
          let served: Served | null = null;
          const code = await codeOf(read(damaged, expected).then((found) => void (served = found)));
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
