// The transcript of a worker over HTTP: pages, their bounds, and data that is passed through as it was encoded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEdge } from './support.ts';

test('a transcript is read page by page, each once and in order', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  for (const n of [1, 2, 3]) await send('POST', '/v1/workers/e1/input', { body: { n }, headers: { prefer: 'wait=5' } });
  const all = (await send('GET', '/v1/workers/e1/transcript')).json.transcript;
  assert.equal(all.worker_id, 'e1');
  assert.equal(all.has_more, false);
  assert.deepEqual(
    all.items.map((item) => item.type),
    ['created', 'input', 'output', 'input', 'output', 'input', 'output'],
  );
  assert.deepEqual(all.items.at(-1)?.data, { n: 3 });
  assert.match(all.items[0]?.at ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  const items = [];
  let after = 0;
  for (let hasMore = true; hasMore;) {
    const page = (await send('GET', `/v1/workers/e1/transcript?after=${after}&limit=2`)).json.transcript;
    items.push(...page.items);
    after = page.next_after;
    hasMore = page.has_more;
  }
  assert.deepEqual(items, all.items);
});

test('large data and text of several bytes per character pass unchanged', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const value = { text: 'ü€😀'.repeat(30_000) };
  await send('POST', '/v1/workers/e1/input', { body: value, headers: { prefer: 'wait=20' } });
  const { items } = (await send('GET', '/v1/workers/e1/transcript?after=1')).json.transcript;
  assert.deepEqual(
    items.map((item) => item.data),
    [value, value],
  );
});

for (const query of [
  'limit=0',
  'limit=1001',
  'limit=x',
  'limit=',
  'after=-1',
  'after=1.5',
  'after=1e3',
  'after=99999999999999999',
  'size=1',
  'after=1&after=2',
  '__proto__=1',
  'constructor=1',
]) {
  test(`the query ${query} is refused by name`, async (t) => {
    const { send, worker } = await startEdge(t);
    await worker('echo', 'e1');
    const { status, json } = await send('GET', `/v1/workers/e1/transcript?${query}`);
    assert.equal(status, 400);
    assert.equal(json.error.code, 'invalid_query');
    assert.equal(json.error.details.issues[0]?.path, query.split('=')[0]);
  });
}

test('a reader behind what was trimmed is told where it can go on; one that starts at 0 gets what there is', async (t) => {
  const { send, worker } = await startEdge(t, { maxTranscriptEntries: 4 });
  await worker('echo', 'e1');
  for (const n of [1, 2, 3]) await send('POST', '/v1/workers/e1/input', { body: { n }, headers: { prefer: 'wait=5' } });
  const read = (query: string) => send('GET', `/v1/workers/e1/transcript${query}`);
  for (const query of ['', '?after=0', '?after=3']) {
    const { transcript } = (await read(query)).json;
    const seqs = transcript.items.map((item) => item.sequence);
    assert.deepEqual([transcript.first_sequence, seqs, transcript.next_after], [4, [4, 5, 6, 7], 7], query);
  }
  for (const after of [1, 2]) {
    const { status, json } = await read(`?after=${after}`);
    const { code, retryable, details } = json.error as { code: string; retryable?: boolean; details: unknown };
    assert.deepEqual([status, code, retryable], [410, 'transcript_trimmed', false]);
    assert.deepEqual(details, { first_sequence: 4, resume_after: 3 });
  }
  const { first_sequence, last_sequence } = (await send('GET', '/v1/workers/e1')).json.worker;
  assert.deepEqual([first_sequence, last_sequence], [4, 7]);
});

test('the largest page is allowed', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  assert.equal((await send('GET', '/v1/workers/e1/transcript?limit=1000&after=0')).status, 200);
});

test('a worker that does not exist has no transcript', async (t) => {
  const { send } = await startEdge(t);
  const { status, json } = await send('GET', '/v1/workers/none/transcript');
  assert.deepEqual([status, json.error.code], [404, 'worker_not_found']);
});
