// The openapi scenario: a fresh process that makes one source of one large document. Memory is the heap and what hangs on it, after garbage
// was collected on both sides. The event loop is watched by a histogram with a resolution of a millisecond.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { createRuntime } from '../../lib/index.ts';
import { bigDocument } from '../support/big-document.ts';
import { answerRequests } from '../support/child.ts';
import { collectGarbage } from '../support/machine.ts';
import { closeRuntime } from '../support/runtime.ts';

export interface SourceRequest {
  readonly operations: number;
  readonly bytes: number;
}

export interface SourceCost {
  readonly documentBytes: number;
  readonly seconds: number;
  readonly longestStallMs: number;
  readonly bytesEach: number;
}

const RESOLUTION_MS = 1;
const COLLECTIONS = 3;
const SETTLE_MS = 50;
const NS_PER_MS = 1e6;

async function measure({ operations, bytes }: SourceRequest): Promise<SourceCost> {
  const http = { allowAddresses: ['127.0.0.0/8'] };
  const runtime = await createRuntime({ actors: [], hosts: 1, http, limits: { maxSourceBytes: 2 * bytes } });
  try {
    const document = bigDocument(operations, bytes);
    const before = await retainedBytes();
    const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delay.enable();
    const startMs = performance.now();
    await runtime.createSource({ name: 'large', type: 'openapi', document });
    const seconds = (performance.now() - startMs) / 1_000;
    delay.disable();
    const { functions } = runtime;
    const made = [...functions.values()].filter(({ worker }) => worker.ownerId === 'large').length;
    if (made !== operations) throw new Error(`${made} of ${operations} operations are functions`);
    const bytesEach = ((await retainedBytes()) - before) / operations;
    return { documentBytes: Buffer.byteLength(document), seconds, longestStallMs: delay.max / NS_PER_MS, bytesEach };
  } finally {
    await closeRuntime(runtime);
  }
}

async function retainedBytes(): Promise<number> {
  for (let round = 0; round < COLLECTIONS; round++) {
    collectGarbage();
    await pause(SETTLE_MS);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

answerRequests((request) => measure(request as SourceRequest));
