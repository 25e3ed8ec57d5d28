// A durable runtime that can be killed and opened again. What `kill -9` leaves is a copy of the file, taken at that moment; the runtime
// that it was taken from ends without another word about it.

import { closeSync, copyFileSync, mkdirSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { FILE_NAME } from '../../lib/open-store.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import { startRuntime, temporaryFolder } from './start-runtime.ts';

/** LMDB's two meta pages: one of them changes with each commit. */
const META_BYTES = 2 * 4_096;

export class DurableRuntime {
  readonly #t: TestContext;
  readonly #root: string;
  #options: Partial<RuntimeOptions>;
  #kills = 0;
  #dataDir: string;
  #runtime: Runtime | null = null;

  constructor(t: TestContext, options: Partial<RuntimeOptions> = {}) {
    this.#t = t;
    this.#options = options;
    this.#root = temporaryFolder(t);
    this.#dataDir = this.#folder();
  }

  get runtime(): Runtime {
    if (this.#runtime === null) throw new Error('the runtime is not open');
    return this.#runtime;
  }

  get dataDir(): string {
    return this.#dataDir;
  }

  /** What is given beats what was given before. */
  async open(options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
    this.#options = { ...this.#options, ...options };
    this.#runtime = await startRuntime(this.#t, { ...this.#options, store: 'lmdb', dataDir: this.#dataDir });
    return this.#runtime;
  }

  /** In the same turn as the call: what is on disk now is what the next runtime finds. */
  async kill(): Promise<void> {
    const killed = this.runtime;
    const folder = this.#folder();
    copyAtOnce(join(this.#dataDir, FILE_NAME), join(folder, FILE_NAME));
    this.#dataDir = folder;
    this.#runtime = null;
    await killed.close({ deadlineMs: 0 });
  }

  async killAndOpen(options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
    await this.kill();
    return this.open(options);
  }

  #folder(): string {
    const folder = join(this.#root, String(this.#kills++));
    mkdirSync(folder);
    return folder;
  }
}

/** Pages of the newest commit but one are not written to, so a copy is whole if no commit has ended meanwhile. */
function copyAtOnce(from: string, to: string): void {
  for (;;) {
    const before = metaOf(from);
    copyFileSync(from, to);
    if (before.equals(metaOf(from)) && before.equals(metaOf(to))) return;
  }
}

function metaOf(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const meta = Buffer.alloc(META_BYTES);
    readSync(file, meta, 0, META_BYTES, 0);
    return meta;
  } finally {
    closeSync(file);
  }
}
