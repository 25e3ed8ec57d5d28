// Frames of telemetry against a real collector: an HTTP server that answers, refuses, stalls or is not there.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Telemetry } from '../../lib/gateway/telemetry.ts';
import type { TelemetryOptions } from '../../lib/gateway/telemetry.ts';
import { eventually, recordLog } from '../support/start-runtime.ts';

interface Received {
  readonly path: string;
  readonly type: string | undefined;
  readonly body: string;
}

/** Answers each request with what `answer` does; 200 by default. */
async function startCollector(
  t: TestContext,
  answer: (response: ServerResponse) => unknown = (response) => response.end('{}'),
) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      received.push({
        path: `${method} ${url}`,
        type: headers['content-type'],
        body: Buffer.concat(chunks).toString(),
      });
      answer(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

function startTelemetry(t: TestContext, options: Omit<TelemetryOptions, 'log'>) {
  const { log, lines } = recordLog();
  const telemetry = new Telemetry({ ...options, log });
  t.after(() => telemetry.close());
  return { telemetry, lines };
}

const frame = (text: string): Uint8Array => Buffer.from(text);

test('each kind of frame reaches its path of the collector, in order and without its prefix', async (t) => {
  const { endpoint, received } = await startCollector(t);
  const { telemetry, lines } = startTelemetry(t, { endpoint: `${endpoint}/` });
  for (const text of ['OTLP{"resourceSpans":[]}', 'MTRC{"resourceMetrics":[]}', 'LOGS{"resourceLogs":["ä"]}'])
    assert.equal(telemetry.receive(frame(text)), true);
  await eventually(() => telemetry.counts.forwarded === 3);
  const type = 'application/json';
  assert.deepEqual(received, [
    { path: 'POST /v1/traces', type, body: '{"resourceSpans":[]}' },
    { path: 'POST /v1/metrics', type, body: '{"resourceMetrics":[]}' },
    { path: 'POST /v1/logs', type, body: '{"resourceLogs":["ä"]}' },
  ]);
  assert.deepEqual(lines, []);
});

test('a frame with another beginning is no telemetry, and an endpoint is not needed to know it', (t) => {
  const { telemetry } = startTelemetry(t, { endpoint: undefined });
  for (const text of ['', 'OTL', 'otlp{}', '{"type":"ping"}']) assert.equal(telemetry.receive(frame(text)), false);
  assert.equal(telemetry.receive(frame('OTLP{}')), true);
  assert.deepEqual(telemetry.counts, { forwarded: 0, dropped: 0, failed: 0 });
});

test('a queue that is full drops the oldest and counts them', async (t) => {
  const held: ServerResponse[] = [];
  const { endpoint, received } = await startCollector(t, (response) => void held.push(response));
  const { telemetry, lines } = startTelemetry(t, { endpoint, queueMessages: 2 });
  telemetry.receive(frame('OTLP0'));
  await eventually(() => held.length === 1);
  for (const text of ['OTLP1', 'OTLP2', 'OTLP3', 'OTLP4']) telemetry.receive(frame(text));
  assert.deepEqual(telemetry.counts, { forwarded: 0, dropped: 2, failed: 0 });
  held[0]?.end();
  await eventually(() => held.length === 2);
  held[1]?.end();
  await eventually(() => held.length === 3);
  held[2]?.end();
  await eventually(() => telemetry.counts.forwarded === 3);
  assert.deepEqual(
    received.map(({ body }) => body),
    ['0', '3', '4'],
  );
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields['dropped']]),
    [['warn', 1]],
  );
});

test('the queue is bounded in bytes as well, and one frame above the bound still gets through', async (t) => {
  const held: ServerResponse[] = [];
  const { endpoint } = await startCollector(t, (response) => void held.push(response));
  const { telemetry } = startTelemetry(t, { endpoint, queueBytes: 10 });
  telemetry.receive(frame('OTLP0'));
  await eventually(() => held.length === 1);
  telemetry.receive(frame(`OTLP${'1'.repeat(5)}`));
  telemetry.receive(frame(`OTLP${'2'.repeat(5)}`));
  assert.equal(telemetry.counts.dropped, 0);
  telemetry.receive(frame('OTLP3'));
  assert.equal(telemetry.counts.dropped, 1);
  telemetry.receive(frame(`OTLP${'4'.repeat(11)}`));
  assert.equal(telemetry.counts.dropped, 3);
  held[0]?.end();
  await eventually(() => held.length === 2);
  held[1]?.end();
  await eventually(() => telemetry.counts.forwarded === 2);
});

test('a collector that refuses is warned of once per minute, with what was lost meanwhile', async (t) => {
  const { endpoint } = await startCollector(t, (response) => response.writeHead(503).end('secret'));
  let nowMs = 0;
  const { telemetry, lines } = startTelemetry(t, { endpoint, now: () => nowMs });
  const fail = async (failures: number) => {
    telemetry.receive(frame('OTLP{}'));
    await eventually(() => telemetry.counts.failed === failures);
  };
  for (const failures of [1, 2, 3]) await fail(failures);
  nowMs = 59_999;
  await fail(4);
  assert.equal(lines.length, 1);
  nowMs = 60_000;
  await fail(5);
  const message = 'telemetry of remotes does not reach the collector';
  const fields = { forwarded: 0, dropped: 0, error_name: 'Error', error_message: 'the collector answered 503' };
  assert.deepEqual(lines, [
    { level: 'warn', message, fields: { ...fields, failed: 1 } },
    { level: 'warn', message, fields: { ...fields, failed: 5 } },
  ]);
});

test('a collector that is not there, redirects or takes too long costs its frame and nothing else', async (t) => {
  const elsewhere = await startCollector(t);
  const redirecting = await startCollector(t, (response) =>
    response.writeHead(307, { location: elsewhere.endpoint }).end(),
  );
  const stalling = await startCollector(t, () => undefined);
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, 'close');
  for (const endpoint of [redirecting.endpoint, stalling.endpoint, `http://127.0.0.1:${port}`]) {
    const { telemetry, lines } = startTelemetry(t, { endpoint, exportTimeoutMs: 50 });
    telemetry.receive(frame('OTLP{}'));
    await eventually(() => telemetry.counts.failed === 1);
    assert.equal(lines.length, 1);
  }
  assert.deepEqual(elsewhere.received, []);
});

test('close ends the request that is on its way, drops the rest and takes nothing more', async (t) => {
  const { endpoint, received } = await startCollector(t, () => undefined);
  const { telemetry, lines } = startTelemetry(t, { endpoint });
  telemetry.receive(frame('OTLP0'));
  await eventually(() => received.length === 1);
  telemetry.receive(frame('OTLP1'));
  await telemetry.close();
  await telemetry.close();
  assert.equal(telemetry.receive(frame('OTLP2')), true);
  assert.deepEqual(telemetry.counts, { forwarded: 0, dropped: 1, failed: 1 });
  assert.deepEqual(lines, []);
});
