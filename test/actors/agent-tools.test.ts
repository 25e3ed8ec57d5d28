// Functions of the registry as tools of the agent's model.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { entriesOf, failureOf, start, textOf } from './agent-setup.ts';
import { called, callTools, delta, finish, say, stream } from './model-server.ts';

describe('a tool of an agent', () => {
  const tools = ['serving::a*', 'serving::who', 'serving::echo', 'serving::refuse', 'serving::fail', 'context::*'];

  test('is a function that the config names, described by its schema', async (t) => {
    const { model, agent } = await start(t, { tools: ['serving::a*', 'serving::who', 'engine::*', 'nobody::serves'] });
    model.next(say('Hello.'));
    await agent.ask({ text: 'Hi' });
    const [add, who, ...others] = model.asked[0]?.tools ?? [];
    assert.deepEqual(others, []);
    assert.equal(add?.function.name, 'serving__add');
    assert.equal(add.function.description, 'Adds to the total.');
    assert.deepEqual(add.function.parameters['required'], ['amount']);
    assert.equal(who?.function.name, 'serving__who');
    // It takes anything, and the model can only give an object.
    assert.deepEqual(who.function.parameters['required'], ['payload']);
  });

  test('is called with arguments that arrive in pieces, several in one turn', async (t) => {
    const { model, agent } = await start(t, { tools });
    model.next(
      stream(
        delta('Let me see.'),
        called({ index: 0, id: 'c0', type: 'function', function: { name: 'serving__add', arguments: '' } }),
        called({ index: 1, id: 'c1', function: { name: 'serving__echo', arguments: '{"pay' } }),
        called({ index: 0, function: { arguments: '{"amou' } }, { index: 1, function: { arguments: 'load":' } }),
        called({ index: 0, function: { arguments: 'nt":2}' } }, { index: 1, function: { arguments: '[1]}' } }),
        finish('tool_calls'),
        '[DONE]',
      ),
      say('Two.'),
    );
    assert.deepEqual(await agent.ask({ text: 'Add two.' }), { text: 'Two.', steps: 2, finish_reason: 'stop' });
    const [, ...added] = model.asked[1]?.messages ?? [];
    assert.deepEqual(added, [
      {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [
          { id: 'c0', type: 'function', function: { name: 'serving__add', arguments: '{"amount":2}' } },
          { id: 'c1', type: 'function', function: { name: 'serving__echo', arguments: '{"payload":[1]}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c0', content: '2' },
      { role: 'tool', tool_call_id: 'c1', content: '[1]' },
    ]);
    const entries = await entriesOf(agent);
    assert.deepEqual(entries[0], { delta: 'Let me see.' });
    const add = { id: 'c0', name: 'serving__add', function_id: 'serving::add' };
    assert.deepEqual(
      entries
        .filter((entry) => 'tool_call' in entry || 'tool_result' in entry)
        .filter((entry) => /c0/.test(JSON.stringify(entry))),
      [{ tool_call: { ...add, arguments: '{"amount":2}' } }, { tool_result: { ...add, content: '2' } }],
    );
    assert.equal(textOf(entries), 'Let me see.Two.');
  });

  test('needs no index and no id where it arrives in one piece, and no arguments', async (t) => {
    const { model, agent } = await start(t, { tools });
    model.next(
      stream(
        called({ function: { name: 'serving__who', arguments: '' } }, { function: { name: 'serving__echo' } }),
        finish('stop'),
      ),
      say('Done.'),
    );
    await agent.ask({ text: 'Who?' });
    assert.deepEqual(
      model.asked[1]?.messages.slice(2).map(({ content }) => content),
      ['"serving"', 'null'],
    );
  });

  test('that is not allowed, is called wrongly or fails is told to the model, which goes on', async (t) => {
    const { model, agent } = await start(t, { tools: ['serving::add', 'serving::refuse', 'serving::fail'] });
    const calls: [string, string][] = [
      ['serving__who', '{}'],
      ['serving::add', '{}'],
      ['serving__add', '{"amount":'],
      ['serving__add', '[]'],
      ['serving__add', '{"amount":1,"in":{"__proto__":{}}}'],
      ['serving__add', '{"amount":"two"}'],
      ['serving__refuse', '{}'],
      ['serving__fail', '{}'],
    ];
    model.next(callTools(...calls), say('Sorry.'));
    assert.equal(((await agent.ask({ text: 'Go.' })) as { text: string }).text, 'Sorry.');
    const results = model.asked[1]?.messages
      .slice(2)
      .map(({ content }) => JSON.parse(String(content)) as { error: { code: string } });
    assert.deepEqual(
      results?.map(({ error }) => error.code),
      [
        'tool_not_allowed',
        'tool_not_allowed',
        'invalid_arguments',
        'invalid_arguments',
        'invalid_arguments',
        'invalid_input',
        'no_such_thing',
        'invocation_failed',
      ],
    );
    assert.ok(!JSON.stringify(await entriesOf(agent)).includes('secret'));
  });

  test('gives the model a part of a result that is too long', async (t) => {
    const { model, agent } = await start(t, { tools: ['serving::large'] });
    model.next(callTools(['serving__large', '{"bytes":100000}']), say('Long.'));
    await agent.ask({ text: 'Go.' });
    const content = String(model.asked[1]?.messages.at(-1)?.content);
    assert.ok(content.length < 33_000 && content.endsWith('… (cut, of 100002)'), content.slice(-40));
  });

  test('is not called in the last step that there may be', async (t) => {
    const { model, runtime, agent } = await start(t, { tools, max_steps: 2 });
    model.next(callTools(['serving__add', '{"amount":1}']), callTools(['serving__add', '{"amount":1}']), say('Hello.'));
    assert.deepEqual(await failureOf(agent.ask({ text: 'Go.' })), {
      code: 'step_limit',
      retryable: false,
      details: { max_steps: 2 },
    });
    assert.equal(await runtime.invoke('serving::add', { amount: 0 }), 1);
    await agent.ask({ text: 'Hi' });
    assert.deepEqual(model.asked[2]?.messages, [{ role: 'user', content: 'Hi' }]);
  });
});

describe('the name of a tool', () => {
  test('is told apart from every other, and leads back to its function', async (t) => {
    const { model, runtime, agent } = await start(t, { tools: ['odd*'] });
    const ids = ['odd::a', 'odd__a', 'odd_::a', 'odd::_a', 'odd.v1::a', 'odd v1::a', `odd::${'x'.repeat(250)}`];
    const owner = { ownerId: 'o', origin: 'remote', name: null, serve: served } as const;
    for (const functionId of ids) runtime.functions.register(owner, { functionId, description: null });
    model.next(say('Hello.'));
    await agent.ask({ text: 'Hi' });
    const names = model.asked[0]?.tools?.map(({ function: { name } }) => name) ?? [];
    assert.equal(new Set(names).size, ids.length);
    assert.ok(names.includes('odd__a'));
    for (const name of names) assert.match(name, /^[A-Za-z0-9_-]{1,64}$/);
    model.next(callTools(...names.map((name) => [name, '{}'] as [string, string])), say('Done.'));
    await agent.ask({ text: 'All of them.' });
    assert.deepEqual(
      model.asked
        .at(-1)
        ?.messages.flatMap(({ role, content }) => (role === 'tool' ? [JSON.parse(String(content)) as string] : [])),
      ids.toSorted(),
    );
  });

  test('is one of 128 at most', async (t) => {
    const { model, runtime, agent } = await start(t, { tools: ['many::*'] });
    const owner = { ownerId: 'o', origin: 'remote', name: null, serve: served } as const;
    const register = (n: number) => runtime.functions.register(owner, { functionId: `many::${n}`, description: null });
    for (let n = 0; n < 128; n++) register(n);
    model.next(say('Hello.'));
    await agent.ask({ text: 'Hi' });
    assert.equal(model.asked[0]?.tools?.length, 128);
    register(128);
    assert.equal((await failureOf(agent.ask({ text: 'Hi' }))).code, 'too_many_tools');
  });
});

const served = async ({ functionId }: { functionId: string }): Promise<string> => JSON.stringify(functionId);
