// The model of docs/agent.md, as its reader starts it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startRuntime } from '../support/start-runtime.ts';

const MODEL = fileURLToPath(new URL('../../../docs/examples/model.js', import.meta.url)); // this file runs from dist/test/actors

test('the example of a model answers an agent, and calls a tool', async (t) => {
  const child = spawn(process.execPath, [MODEL], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const base_url = line.toString().trim();
  process.env['AGENT_BASE_URLS'] = base_url;
  const runtime = await startRuntime(t);
  const agent = await runtime.create({ kind: 'agent', config: { base_url, model: 'any', tools: ['serving::add'] } });
  assert.deepEqual(await agent.ask({ text: 'Hi' }), { text: 'You said: Hi', steps: 1, finish_reason: 'stop' });
  assert.deepEqual(await agent.ask({ text: 'add 2' }), { text: 'You said: 2', steps: 2, finish_reason: 'stop' });
});
