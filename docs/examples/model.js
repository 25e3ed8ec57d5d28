// Stands in for a language model: `node docs/examples/model.js [PORT]` serves the streaming chat protocol on loopback. It repeats what it is
// told; to "add 2" it first calls the tool whose name ends in __add, and then says what that gave.

import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';

const server = createServer(async (request, response) => {
  const { messages, tools = [] } = await json(request);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (delta, finish_reason = null) =>
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  const { role, content } = messages.at(-1);
  const amount = /^add (\d+)$/.exec(content)?.[1];
  const add = tools.find(({ function: { name } }) => name.endsWith('__add'))?.function.name;
  if (role === 'user' && amount !== undefined && add !== undefined) {
    send({ tool_calls: [{ index: 0, id: 'call_1', function: { name: add, arguments: `{"amount":${amount}}` } }] });
    send({}, 'tool_calls');
  } else {
    for (const word of `You said: ${content}`.split(/(?= )/)) send({ content: word });
    send({}, 'stop');
  }
  response.end('data: [DONE]\n\n');
});

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/v1\n`);
});
