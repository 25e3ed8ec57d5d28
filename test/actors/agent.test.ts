// The agent against a real server that speaks the streaming protocol: answers, cancels, what it may use, and what is kept.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { codeOf, emitted, eventually, hasStatus } from '../support/start-runtime.ts';
import { entriesOf, KEY, start, textOf } from './agent-setup.ts';
import { callTools, delta, event, finish, head, say, stream } from './model-server.ts';

describe('an agent', () => {
  test('streams the answer into its transcript and keeps the conversation', async (t) => {
    const config = { system: 'Be brief.', temperature: 0.5, key_variable: 'AGENT_TEST_KEY' };
    const { model, agent } = await start(t, config);
    model.next(say('Hel', 'lo', '!'), say('Fine.'));
    assert.deepEqual(await agent.ask({ text: 'Hi' }), { text: 'Hello!', steps: 1, finish_reason: 'stop' });
    assert.equal(textOf(await entriesOf(agent)), 'Hello!');
    await agent.ask({ text: 'How are you?' });
    assert.deepEqual(model.asked, [
      {
        model: 'm1',
        stream: true,
        temperature: 0.5,
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Hi' },
        ],
      },
      {
        model: 'm1',
        stream: true,
        temperature: 0.5,
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Hello!' },
          { role: 'user', content: 'How are you?' },
        ],
      },
    ]);
    assert.equal(model.requests[0]?.headers.authorization, `Bearer ${KEY}`);
  });

  test('takes a conversation that has begun elsewhere', async (t) => {
    const { model, agent } = await start(t);
    model.next(say('Three.'));
    const messages = [
      { role: 'assistant', content: 'Ask.' },
      { role: 'user', content: 'One and two?' },
    ];
    await agent.ask({ messages });
    assert.deepEqual(model.asked[0]?.messages, messages);
    assert.equal(model.requests[0]?.headers.authorization, undefined);
    assert.equal(await codeOf(agent.ask({ messages: messages.slice(0, 1) })), 'invalid_input');
    assert.equal(await codeOf(agent.ask({ messages: [] })), 'invalid_input');
  });

  test('puts an answer together that arrives byte by byte', async (t) => {
    const { model, agent } = await start(t);
    const text = 'Grüße, 世界 🎉';
    model.next((response) => {
      head(response);
      const bytes = Buffer.from(
        `: hello\r\n\r\nevent: x\r\n${[delta(text), finish('stop'), '[DONE]'].map(event).join('')}`,
      );
      // Each a chunk of its own on the wire, and so for who reads it.
      for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    });
    assert.deepEqual(await agent.ask({ text: 'Hi' }), { text, steps: 1, finish_reason: 'stop' });
    assert.equal(textOf(await entriesOf(agent)), text);
  });

  test('emits what it has while the model pauses, and gathers what comes at once', async (t) => {
    const { model, agent } = await start(t);
    model.next((response) => {
      head(response);
      for (let n = 0; n < 1_000; n++) response.write(event(delta('x')));
      void eventually(async () => textOf(await entriesOf(agent)).length === 1_000).then(() =>
        response.end([delta('y'), finish('stop'), '[DONE]'].map(event).join('')),
      );
    });
    assert.equal(((await agent.ask({ text: 'Hi' })) as { text: string }).text, `${'x'.repeat(1_000)}y`);
    const entries = await entriesOf(agent);
    assert.ok(entries.length < 100, `${entries.length} entries`);
    assert.deepEqual(entries.at(-1), { delta: 'y' });
  });

  test('needs no mark of the end, and no more than the mark', async (t) => {
    const { model, agent } = await start(t);
    model.next(stream(delta('a'), finish('stop')), (response) => {
      head(response).write([delta('b'), finish('length'), '[DONE]'].map(event).join(''));
    });
    assert.deepEqual(await agent.ask({ text: 'Hi' }), { text: 'a', steps: 1, finish_reason: 'stop' });
    // The connection stays open.
    assert.deepEqual(await agent.ask({ text: 'Hi' }), { text: 'b', steps: 1, finish_reason: 'length' });
  });

  test('keeps the conversation when its host dies', async (t) => {
    const { model, runtime, agent } = await start(t);
    model.next(say('Hello.'), say('Still here.'));
    await agent.ask({ text: 'Hi' });
    const exits = await runtime.create({ kind: 'exits' });
    assert.equal(await codeOf(exits.ask({ code: 1 })), 'host_lost');
    await eventually(() => agent.view().restarts === 1);
    await hasStatus(agent, 'idle');
    await agent.ask({ text: 'Hello?' });
    assert.deepEqual(
      model.asked[1]?.messages.map(({ content }) => content),
      ['Hi', 'Hello.', 'Hello?'],
    );
  });

  test('leaves out the oldest turns when they are above the budget, and never a part of one', async (t) => {
    const { model, agent } = await start(t, { token_budget: 550, tools: ['serving::who'], system: 'Stay.' });
    const long = 'x'.repeat(1_200);
    model.next(callTools(['serving__who', '{}']), say(long), say('b'), say('c'));
    for (const text of ['one', 'two', long]) await agent.ask({ text });
    const contents = (n: number) => model.asked[n]?.messages.map(({ role, content }) => `${role}: ${content}`);
    const first = ['system: Stay.', 'user: one', 'assistant: ', 'tool: "serving"'];
    assert.deepEqual(contents(1), first);
    assert.deepEqual(contents(2), [...first, `assistant: ${long}`, 'user: two']);
    assert.deepEqual(contents(3), ['system: Stay.', 'user: two', 'assistant: b', `user: ${long}`]);
  });

  test('sends the newest turn however long it is', async (t) => {
    const { model, agent } = await start(t, { token_budget: 1, tools: ['serving::who'] });
    model.next(say('a'), callTools(['serving__who', '{}']), say('b'));
    for (const text of ['x'.repeat(1_000), 'two']) await agent.ask({ text });
    assert.deepEqual(
      model.asked.map(({ messages }) => messages.map(({ role }) => role)),
      [['user'], ['user'], ['user', 'assistant', 'tool']],
    );
  });
});

describe('a cancelled agent', () => {
  test('closes the stream at once and forgets the input', async (t) => {
    const { model, agent } = await start(t);
    model.next(say('Hello.'));
    await agent.ask({ text: 'Hi' });
    let closed: Promise<unknown> | undefined;
    model.next((response) => {
      closed = once(response, 'close');
      head(response).write(event(delta('Once upon a time')));
    }, say('Fine.'));
    const { inputId } = await agent.tell({ text: 'Tell me a story.' });
    await eventually(async () => textOf(await entriesOf(agent)).includes('Once'));
    await agent.cancel({ inputId });
    await closed;
    assert.equal(await eventually(() => agent.input(inputId).outcome), 'cancelled');
    await agent.ask({ text: 'How are you?' });
    assert.deepEqual(
      model.asked[2]?.messages.map(({ content }) => content),
      ['Hi', 'Hello.', 'How are you?'],
    );
    assert.equal(agent.view().restarts, 0);
  });

  test('does not wait for a tool', async (t) => {
    const { model, runtime, agent } = await start(t, { tools: ['serving::hold'] });
    model.next(callTools(['serving__hold', '{}']));
    const { inputId } = await agent.tell({ text: 'Hold on.' });
    await eventually(() => [...runtime.workers({ kind: 'serving' })].length === 1);
    await emitted(runtime.worker('serving'), 'waiting');
    await agent.cancel({ inputId });
    assert.equal(await eventually(() => agent.input(inputId).outcome), 'cancelled');
    assert.equal(agent.view().restarts, 0);
  });
});

describe('what an agent may use', () => {
  test('is what the operator has listed', async (t) => {
    const { model, runtime } = await start(t);
    const refusal = async (config: object): Promise<unknown> => {
      const agent = await runtime.create({ kind: 'agent', config: { base_url: model.url, model: 'm1', ...config } });
      return codeOf(agent.ask({ text: 'Hi' }));
    };
    for (const base_url of [
      `${model.url}/other`,
      model.url.replace('127.0.0.1', 'localhost'),
      'http://169.254.169.254/v1',
    ])
      assert.equal(await refusal({ base_url }), 'base_url_not_allowed', base_url);
    for (const key_variable of ['AGENT_TEST_UNSET', 'AGENT_TEST_OTHER', 'PATH'])
      assert.equal(await refusal({ key_variable }), 'key_not_found', key_variable);
    assert.deepEqual(model.asked, []);
  });

  test('is checked in its config', async (t) => {
    const { model, runtime } = await start(t);
    for (const config of [
      { base_url: 'file:///etc/passwd' },
      { max_steps: 0 },
      { tools: ['a*b'] },
      { key: KEY },
      { token_budget: 0 },
    ]) {
      const request = { kind: 'agent', workerId: 'b', config: { base_url: model.url, model: 'm1', ...config } };
      assert.equal(await codeOf(runtime.create(request)), 'invalid_request', JSON.stringify(config));
    }
  });
});
