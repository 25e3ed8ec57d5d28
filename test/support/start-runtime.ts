// A runtime with the fixture actors, closed when the test ends; and the ways to wait for what happens in it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { BroadcastChannel } from 'node:worker_threads';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import type { Logger } from '../../lib/observe/log.ts';
import type { TranscriptEntry } from '../../lib/protocol/views.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';

const FIXTURES = new URL('../fixtures/actors/', import.meta.url);
const SHIPPED = new URL('../../actors/', import.meta.url);

/** With GREENROOM_TEST_STORE=lmdb every test that does not choose a store runs with the durable one. */
export function storeOfTests(t: TestContext): Pick<RuntimeOptions, 'store' | 'dataDir'> {
  return process.env['GREENROOM_TEST_STORE'] === 'lmdb' ? { store: 'lmdb', dataDir: temporaryFolder(t) } : {};
}

export async function startRuntime(t: TestContext, options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  const runtime = await createRuntime({ actors: [FIXTURES, SHIPPED], hosts: 1, ...storeOfTests(t), ...options });
  t.after(async () => {
    if (runtime.supervisor.status === 'running') await runtime.close({ deadlineMs: 1 });
  });
  return runtime;
}

/** Polls, once per turn of the loop, until the value is neither undefined nor false; for what no event tells. */
export async function eventually<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 10_000,
): Promise<T> {
  const giveUpAtMs = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${withinMs} ms: ${look.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export async function transcriptOf(worker: WorkerHandle, after = 0): Promise<TranscriptEntry[]> {
  const entries: TranscriptEntry[] = [];
  for await (const entry of worker.transcript({ after })) entries.push(entry);
  return entries;
}

/** Resolves when the worker has emitted the value (since the sequence `after`). */
export function emitted(worker: WorkerHandle, data: unknown, after = 0): Promise<TranscriptEntry> {
  return eventually(async () =>
    (await transcriptOf(worker, after)).find((entry) => entry.type === 'emitted' && entry.data === data),
  );
}

export function hasStatus(worker: WorkerHandle, status: string): Promise<true> {
  return eventually(() => (worker.view().status === status ? true : undefined));
}

/** Opens every gate that waits for the name; call it when they do (`emitted(worker, 'waiting')`). */
export function openGate(name: string): void {
  const channel = new BroadcastChannel(name);
  channel.postMessage('open');
  channel.close();
}

/** The code of the error that a promise rejects with; the value itself if it resolves, so that the assertion shows it. */
export function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => (error as { code?: unknown }).code ?? error);
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A log that can be read. */
export function recordLog(): {
  log: Logger;
  lines: { level: string; message: string; fields: Record<string, unknown> }[];
} {
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const write = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void lines.push({ level, message, fields });
  return { lines, log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') } };
}
