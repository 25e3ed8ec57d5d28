// Inputs over HTTP in batches: NDJSON bodies, one acknowledgement or refusal per line, in order. Says how many were
// acknowledged; whether they were handled is for the totals of the counters to say.

import { Client } from 'undici';
import { answerRequests } from '../support/child.ts';
import { within } from '../support/load.ts';

export interface BatchRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `worker`: each batch to one worker, at `/v1/workers/ID/inputs`. `any`: each line names its worker, at `/v1/inputs`. */
  readonly to: 'worker' | 'any';
  readonly workerIds: readonly string[];
  readonly forMs: number;
}

export interface BatchResult {
  readonly acknowledged: number;
  readonly refused: number;
}

const CONNECTIONS = 8;
const LINES = 256;
const OK = 200;
const WITHIN_MS = 20_000;
const REFUSALS: readonly string[] = ['worker_busy', 'runtime_overloaded'];

async function run({ url, headers, to, workerIds, forMs }: BatchRequest): Promise<BatchResult> {
  const clients = Array.from({ length: CONNECTIONS }, () => new Client(url, { pipelining: 1 }));
  const endMs = performance.now() + forMs;
  let [next, acknowledged, refused] = [0, 0, 0];
  const nextWorker = (): string => workerIds[next++ % workerIds.length] ?? '';
  const send = async (client: Client): Promise<void> => {
    while (performance.now() < endMs) {
      const [path, body] = to === 'worker' ? batchFor(nextWorker()) : batchOver(nextWorker);
      const answer = await client.request({ method: 'POST', path, headers, body });
      const text = await answer.body.text();
      if (answer.statusCode !== OK) throw new Error(`POST ${path}: ${answer.statusCode} ${text.slice(0, 200)}`);
      const counts = readAnswer(text);
      acknowledged += counts.acknowledged;
      refused += counts.refused;
    }
  };
  try {
    await within(Promise.all(clients.map(send)), forMs + WITHIN_MS, () => 'a batch has no answer');
  } finally {
    await Promise.all(clients.map((client) => client.destroy()));
  }
  return { acknowledged, refused };
}

const INPUT = '{"add":1}';
const BATCH_FOR_ONE = `${INPUT}\n`.repeat(LINES);

function batchFor(workerId: string): [path: string, body: string] {
  return [`/v1/workers/${workerId}/inputs`, BATCH_FOR_ONE];
}

function batchOver(nextWorker: () => string): [path: string, body: string] {
  const line = (): string => `{"worker_id":"${nextWorker()}","input":${INPUT}}\n`;
  return ['/v1/inputs', Array.from({ length: LINES }, line).join('')];
}

/** Throws unless there is one line for each that was sent, and each is an acknowledgement or says "full". */
function readAnswer(text: string): BatchResult {
  const lines = text.trimEnd().split('\n');
  if (lines.length !== LINES) throw new Error(`${LINES} inputs were answered with ${lines.length} lines`);
  let acknowledged = 0;
  for (const line of lines) {
    const { ack, error } = JSON.parse(line) as { ack?: object; error?: { code: string } };
    if (ack !== undefined) acknowledged++;
    else if (!REFUSALS.includes(error?.code ?? '')) throw new Error(`an input was answered with ${line.slice(0, 200)}`);
  }
  return { acknowledged, refused: LINES - acknowledged };
}

answerRequests((request) => run(request as BatchRequest));
