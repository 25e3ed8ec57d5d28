// HTTP load without wrk: keep-alive connections with one request at a time on each.

import { Client } from 'undici';
import { answerRequests } from '../support/child.ts';
import { CONNECTIONS } from '../support/http-load.ts';
import type { HttpResult, HttpTarget } from '../support/http-load.ts';
import { holdInFlight } from '../support/load.ts';
import { percentiles } from '../support/statistics.ts';

const ACCEPTED = 202;

async function run({ url, headers, counters, seconds }: HttpTarget & { seconds: number }): Promise<HttpResult> {
  const { origin, pathname } = new URL(url);
  const clients = Array.from({ length: CONNECTIONS }, () => new Client(origin, { pipelining: 1 }));
  const samplesUs: number[] = [];
  try {
    const { asked: answered, perSecond } = await holdInFlight(
      async (question, lane) => {
        const client = clients[lane];
        if (client === undefined) throw new Error('no connection has this lane');
        const askedMs = performance.now();
        const counter = counters?.[question.id % counters.length];
        const { statusCode, body } = await client.request({
          method: 'POST',
          path: counter === undefined ? pathname : `/v1/workers/${counter}/input`,
          headers,
          body: counter === undefined ? JSON.stringify(question) : '{"add":1}',
        });
        const text = await body.text();
        samplesUs.push((performance.now() - askedMs) * 1_000);
        // What was acknowledged is proven by the totals of the counters, which are asked for afterwards.
        if (counter !== undefined && statusCode === ACCEPTED && text.includes('"ack":')) return { ...question };
        if (statusCode !== 200) throw new Error(`${statusCode}: ${text.slice(0, 200)}`);
        const answer = JSON.parse(text) as { result?: { output: unknown } };
        return answer.result === undefined ? answer : answer.result.output;
      },
      { inFlight: CONNECTIONS, forMs: seconds * 1_000 },
    );
    const { p50, p99 } = percentiles(samplesUs);
    return { answered, perSecond, p50Us: p50, p99Us: p99 };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

answerRequests(
  (request) => run(request as HttpTarget & { seconds: number }),
  async () => undefined,
);
