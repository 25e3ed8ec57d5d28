// Folders for durable stores, on a disk: in memory, which temporary folders are on some systems, a commit would cost nothing.

import { statfsSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { percentiles } from './statistics.ts';

const TMPFS = 'tmpfs';
/** What statfs(2) calls them. */
const FILE_SYSTEMS = new Map([
  [0xef53, 'ext4'],
  [0x5846_5342, 'xfs'],
  [0x9123_683e, 'btrfs'],
  [0x794c_7630, 'overlayfs'],
  [0x2fc1_2fc1, 'zfs'],
  [0x0102_1994, TMPFS],
]);
/** From dist/bench/support: a folder that is not in git. */
const OUTPUT = fileURLToPath(new URL('../../..', import.meta.url));
const PAGE_BYTES = 4_096;
const SYNCS = 200;

/** To be removed by whoever made it. */
export function makeDataDir(name: string): Promise<string> {
  return mkdtemp(join(place(), `greenroom-bench-${name}-`));
}

/** The file system of the data dirs, and what it costs to have one page on its disk. */
export async function describeDisk(): Promise<string> {
  const dir = await makeDataDir('disk');
  const file = await open(join(dir, 'page'), 'w');
  try {
    const tookUs: number[] = [];
    for (let sync = 0; sync < SYNCS; sync++) {
      const startMs = performance.now();
      await file.write(Buffer.alloc(PAGE_BYTES, sync), 0, PAGE_BYTES, sync * PAGE_BYTES);
      await file.datasync();
      tookUs.push((performance.now() - startMs) * 1_000);
    }
    const { p50, p99 } = percentiles(tookUs);
    const cost = `appending ${PAGE_BYTES} bytes and fdatasync: p50 ${p50.toFixed(0)} µs, p99 ${p99.toFixed(0)} µs`;
    return `data dirs are on ${fileSystemOf(dir)}; ${cost}`;
  } finally {
    await file.close();
    await rm(dir, { recursive: true });
  }
}

function place(): string {
  return fileSystemOf(tmpdir()) === TMPFS ? OUTPUT : tmpdir();
}

function fileSystemOf(path: string): string {
  const { type } = statfsSync(path);
  return FILE_SYSTEMS.get(type) ?? `a file system of type 0x${type.toString(16)}`;
}
