// A copy of the compiled project in a temporary folder, with or without its size checks, so that the product needs no
// switch for a benchmark. A copy and not module hooks: on Node 20 threads that Piscina starts ignore hooks that
// `--import` registers, and half of the checks would stay.
//
// Sizes are still needed for the accounting of mailboxes, credits and batches. Without measuring they are the number of
// characters, which for ASCII is the same number: only the measuring and the comparing are gone.

import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const REPLACED = ['payloadBytes', 'requireSize'] as const;
const REPLACEMENT = `
export function payloadBytes(payload) { return payload.length; }
export function requireSize(bytes) { return bytes; }
`;
const PARTS = ['lib', 'actors', 'bench'] as const;
/** Of this file once it is compiled: dist/bench/support. */
const root = fileURLToPath(new URL('../../..', import.meta.url));
const output = fileURLToPath(new URL('../..', import.meta.url));

export interface BuildCopy {
  /** URL of a compiled module of the copy, such as `bench/run.js`. */
  moduleUrl(path: string): URL;
  remove(): Promise<void>;
}

export async function copyBuild(checks: 'on' | 'off'): Promise<BuildCopy> {
  const folder = await mkdtemp(join(tmpdir(), `greenroom-checks-${checks}-`));
  const dist = join(folder, 'dist');
  await Promise.all([
    ...PARTS.map((part) => cp(join(output, part), join(dist, part), { recursive: true })),
    ...['node_modules', 'package.json'].map((name) => symlink(join(root, name), join(folder, name))),
  ]);
  if (checks === 'off') await removeChecks(join(dist, 'lib/protocol/payload.js'));
  return {
    moduleUrl: (path) => pathToFileURL(join(dist, path)),
    remove: () => rm(folder, { recursive: true }),
  };
}

async function removeChecks(file: string): Promise<void> {
  let source = await readFile(file, 'utf8');
  for (const name of REPLACED) {
    const declaration = `export function ${name}(`;
    if (!source.includes(declaration)) throw new Error(`the payload module has no ${name}`);
    source = source.replace(declaration, `function unused_${name}(`);
  }
  await writeFile(file, source + REPLACEMENT);
}
