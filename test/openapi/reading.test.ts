// The thread that reads: what ends a reading, and what the next one finds.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../lib/limits.ts';
import { BATCH_CHARS, MAX_WAITING_CHARS, READING_DEADLINE_MS, READING_WAIT_MS } from '../../lib/openapi/bounds.ts';
import { unpackText } from '../../lib/protocol/packed.ts';
import { codeOf } from '../support/start-runtime.ts';
import { json, read, readText } from './read.ts';

const small = { openapi: '3.1.0', paths: { '/a': { get: {} } } };
/** It needs another document, which the test holds back. */
const held = { openapi: '3.1.0', paths: { '/a': { post: { requestBody: json({ $ref: 'other.json' }) } } } };

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

/** A reading that has come as far as asking for the other document. */
async function heldReading(signal?: AbortSignal) {
  const [asked, answered] = [gate(), gate()];
  const fetchDocument = async () => {
    asked.open();
    await answered.opened;
    return '{}';
  };
  const reading = read(held, { fetchDocument, ...(signal && { signal }) });
  // A reading that ends before it asks shows its own error here.
  await Promise.race([asked.opened, reading]);
  return { reading, answer: answered.open };
}

test('readings wait for each other, and each gets its own', async () => {
  const { reading, answer } = await heldReading();
  const others = [read(small), read({ ...small, paths: { '/b': { get: {} } } })];
  answer();
  const names = (await Promise.all([reading, ...others])).map(({ operations }) => Object.keys(operations));
  assert.deepEqual(names, [['post_a'], ['get_a'], ['get_b']]);
});

test('a reading is cancelled before it begins, while it waits, and in the middle; the next one is not', async () => {
  assert.equal(await codeOf(read(small, { signal: AbortSignal.abort() })), 'cancelled');
  const [first, second] = [new AbortController(), new AbortController()];
  const { reading } = await heldReading(first.signal);
  const waiting = read(small, { signal: second.signal });
  const next = read(small);
  second.abort();
  assert.equal(await codeOf(waiting), 'cancelled');
  first.abort();
  assert.equal(await codeOf(reading), 'cancelled');
  assert.deepEqual(Object.keys((await next).operations), ['get_a']);
});

test('a reading that takes too long ends with its thread, and one that waits too long ends without it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { reading } = await heldReading();
  t.mock.timers.tick(READING_DEADLINE_MS - 1);
  const waiting = read(small);
  t.mock.timers.tick(1);
  assert.equal(await codeOf(reading), 'timeout');
  assert.deepEqual(Object.keys((await waiting).operations), ['get_a']);
  const { reading: another, answer } = await heldReading();
  const late = codeOf(read(small));
  const ended = codeOf(another);
  t.mock.timers.tick(READING_WAIT_MS);
  assert.deepEqual([await late, await ended], ['timeout', 'timeout']);
  answer();
});

test('texts that wait are bounded in bytes all together', async () => {
  const { reading, answer } = await heldReading();
  const all = new AbortController();
  const text = `{${' '.repeat(DEFAULT_LIMITS.maxSourceBytes - 1)}`;
  const fitting = Math.floor(MAX_WAITING_CHARS / text.length) - 1;
  const waiting = Array.from({ length: fitting }, () => codeOf(readText(text, { signal: all.signal })));
  assert.equal(await codeOf(readText(text)), 'worker_busy');
  all.abort();
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['cancelled']));
  answer();
  assert.equal(await codeOf(readText(text)), 'invalid_source');
  assert.deepEqual(Object.keys((await reading).operations), ['post_a']);
});

test('operations that take several pieces all arrive, in the order of the document', async () => {
  const description = 'x'.repeat(500);
  const operation = {
    parameters: Array.from({ length: 20 }, (_, index) => ({ name: `q${index}`, in: 'query', description })),
  };
  const names = Array.from({ length: 100 }, (_, index) => `get_p${index}`);
  const paths = Object.fromEntries(names.map((name) => [`/${name.slice(4)}`, { get: operation }]));
  const reading = await readText(JSON.stringify({ openapi: '3.1.0', paths }));
  const chars = reading.operations.reduce((sum, each) => sum + unpackText(each.requestFormat).length, 0);
  assert.ok(chars > 3 * BATCH_CHARS, 'this test needs several pieces');
  assert.deepEqual(
    reading.operations.map(({ name }) => name),
    names,
  );
});

test('what a document describes is bounded by its largest size', async () => {
  // Each operation has all of a shared definition.
  const properties = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`p${index}`, { description: 'x'.repeat(400) }]),
  );
  const post = { requestBody: json({ $ref: '#/components/schemas/A' }) };
  const paths = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`/p${index}`, { post }]));
  const document = { openapi: '3.1.0', paths, components: { schemas: { A: { properties } } } };
  const text = JSON.stringify(document);
  await assert.rejects(readText(text, { maxBytes: text.length }), { code: 'invalid_source', message: /too large/ });
  assert.equal((await readText(text)).operations.length, 50);
});

test('a process that has read a document ends without waiting for the thread', () => {
  const script = `
    const { readDocument } = await import(${JSON.stringify(new URL('../../lib/openapi/reading.js', import.meta.url))});
    const parts = { maxBytes: 1e6, maxOperations: 9, signal: new AbortController().signal, fetchDocument: async () => '' };
    const settings = { documentUrl: null, baseUrl: 'https://api.test', serverVariables: {} };
    const { operations } = await readDocument('${JSON.stringify(small)}', settings, parts);
    console.log(operations.length);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 30_000 });
  assert.equal(output.toString(), '1\n');
});

test('what parses documents is loaded in the thread alone', () => {
  const script = `
    await import(${JSON.stringify(new URL('../../lib/openapi/reading.js', import.meta.url))});
    const { createRequire } = await import('node:module');
    console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache).filter((file) => /node_modules.(yaml|safe-regex2)/.test(file))));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 30_000 });
  assert.deepEqual(JSON.parse(output.toString()), []);
});
