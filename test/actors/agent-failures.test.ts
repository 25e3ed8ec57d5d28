// What goes wrong between the agent and its model: always a typed error, never a word of what the model said, and nothing half is kept.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { transcriptOf } from '../support/start-runtime.ts';
import { failureOf, KEY, start } from './agent-setup.ts';
import { called, delta, event, finish, head, refuse, say, stream } from './model-server.ts';
import type { Script } from './model-server.ts';

describe('a model that does not answer', () => {
  const refusals: [title: string, script: Script, code: string, details: object][] = [
    ['refuses the key', refuse(401), 'model_error', { reason: 'status', status: 401 }],
    ['knows no such model', refuse(404), 'model_error', { reason: 'status', status: 404 }],
    ['is asked too often', refuse(429), 'model_unavailable', { reason: 'status', status: 429 }],
    [
      'says when to come again',
      refuse(429, { 'retry-after': '2' }),
      'model_unavailable',
      { reason: 'status', status: 429, retry_after_ms: 2_000 },
    ],
    ['breaks', refuse(500), 'model_unavailable', { reason: 'status', status: 500 }],
    [
      'sends elsewhere',
      refuse(307, { location: '/v1/chat/completions' }),
      'model_error',
      { reason: 'status', status: 307 },
    ],
    [
      'does not stream',
      (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
      'model_error',
      { reason: 'not_a_stream' },
    ],
    ['streams no JSON', stream('{"choices":'), 'model_error', { reason: 'malformed' }],
    ['streams other JSON', stream({ choices: [{ delta: { content: 7 } }] }), 'model_error', { reason: 'malformed' }],
    [
      'streams no events',
      (response) => head(response).end('<html>\n\n</html>'),
      'model_unavailable',
      { reason: 'ended_early' },
    ],
    [
      'reports an error in its stream',
      stream(delta('a'), { error: { message: KEY } }),
      'model_error',
      { reason: 'reported' },
    ],
    ['ends early', stream(delta('Once upon')), 'model_unavailable', { reason: 'ended_early' }],
    [
      'ends within an event',
      (response) => head(response).end(event(delta('a')) + event(finish('stop')).slice(0, -9)),
      'model_unavailable',
      { reason: 'ended_early' },
    ],
    [
      'is cut off',
      (response) => head(response).write(event(delta('a')), () => response.destroy()),
      'model_unavailable',
      { reason: 'connection' },
    ],
    ['hangs up', (response) => response.destroy(), 'model_unavailable', { reason: 'connection' }],
    [
      'sends an endless line',
      (response) => flood(response, `data: ${'x'.repeat(65_536)}`, 'x'.repeat(65_536)),
      'model_error',
      { reason: 'too_large' },
    ],
    [
      'never ends',
      (response) => flood(response, '', event(delta('')) + `: ${'x'.repeat(65_536)}\n\n`),
      'model_error',
      { reason: 'too_large' },
    ],
    [
      'calls tools without end',
      stream(called(...Array.from({ length: 33 }, () => ({ function: { name: 'x' } })))),
      'model_error',
      { reason: 'too_many_calls' },
    ],
  ];
  for (const [title, script, code, details] of refusals)
    test(`because it ${title} is a typed error, and the conversation is as before`, async (t) => {
      const { model, agent, lines } = await start(t, { key_variable: 'AGENT_TEST_KEY' });
      model.next(script, say('Hello.'));
      const asking = agent.ask({ text: 'Hi' });
      assert.deepEqual(await failureOf(asking), { code, retryable: code === 'model_unavailable', details });
      assert.ok(
        !`${JSON.stringify([await transcriptOf(agent), lines])}${String(await asking.catch(String))}`.includes(KEY),
      );
      await agent.ask({ text: 'Again.' });
      assert.deepEqual(model.asked[1]?.messages, [{ role: 'user', content: 'Again.' }]);
      assert.equal(agent.view().restarts, 0);
    });

  test('within the time that it has is unavailable', async (t) => {
    const { model, agent } = await start(t, { timeout_ms: 20 });
    model.next(
      () => undefined,
      (response) => head(response).write(event(delta('a'))),
    );
    const expected = { code: 'model_unavailable', retryable: true, details: { reason: 'timeout' } };
    for (const text of ['one', 'two']) assert.deepEqual(await failureOf(agent.ask({ text })), expected);
  });
});

/** Writes as fast as it is read, until nobody does. */
function flood(response: Parameters<Script>[0], first: string, then: string): void {
  head(response).write(first);
  const more = (): void => {
    while (!response.destroyed && response.write(then));
  };
  response.on('drain', more);
  more();
}
