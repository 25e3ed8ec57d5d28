// An agent in a runtime with the fixtures, and the server that it talks to.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { recordLog, startRuntime, transcriptOf } from '../support/start-runtime.ts';
import { startModel } from './model-server.ts';
import type { ModelServer } from './model-server.ts';

export const KEY = 'sk-secret';

export interface Started {
  model: ModelServer;
  runtime: Runtime;
  agent: WorkerHandle;
  lines: ReturnType<typeof recordLog>['lines'];
}

export async function start(t: TestContext, config: object = {}): Promise<Started> {
  const model = await startModel(t);
  // A host has the environment of the time when it was started.
  Object.assign(process.env, {
    AGENT_BASE_URLS: `https://model.example/v1, ${model.url}/`,
    AGENT_KEY_VARIABLES: 'AGENT_TEST_KEY AGENT_TEST_UNSET',
    AGENT_TEST_KEY: KEY,
    AGENT_TEST_OTHER: 'not to be sent',
  });
  const { log, lines } = recordLog();
  const runtime = await startRuntime(t, { log });
  const agent = await runtime.create({
    kind: 'agent',
    workerId: 'a',
    config: { base_url: model.url, model: 'm1', ...config },
  });
  return { model, runtime, agent, lines };
}

export const entriesOf = async (agent: WorkerHandle): Promise<Record<string, unknown>[]> =>
  (await transcriptOf(agent)).filter(({ type }) => type === 'emitted').map(({ data }) => data as never);

export const textOf = (entries: Record<string, unknown>[]): string =>
  entries.map((entry) => (entry['delta'] as string | undefined) ?? '').join('');

export const failureOf = (promise: Promise<unknown>): Promise<Pick<GreenroomError, 'code' | 'retryable' | 'details'>> =>
  promise.then(
    () => assert.fail('it was answered'),
    ({ code, retryable, details }: GreenroomError) => ({ code, retryable, details }),
  );
