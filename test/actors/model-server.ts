// A server that speaks the streaming protocol of chat endpoints, and says what the test tells it to: one script per request, in order.

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

export interface Asked {
  model: string;
  stream: boolean;
  temperature?: number;
  messages: { role: string; content: string | null; tool_calls?: unknown[]; tool_call_id?: string }[];
  tools?: { type: string; function: { name: string; description: string; parameters: Record<string, unknown> } }[];
}

export type Script = (response: ServerResponse, request: IncomingMessage) => unknown;

export interface ModelServer {
  /** Without `/chat/completions`. */
  readonly url: string;
  /** What it was asked, in order. */
  readonly asked: Asked[];
  readonly requests: IncomingMessage[];
  /** How it is to answer the next requests. */
  next: (...scripts: Script[]) => void;
}

export async function startModel(t: TestContext): Promise<ModelServer> {
  const asked: Asked[] = [];
  const requests: IncomingMessage[] = [];
  const scripts: Script[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    void text(request).then((body) => {
      asked.push(JSON.parse(body) as Asked);
      const script = scripts.shift();
      if (request.url !== '/v1/chat/completions' || script === undefined) response.writeHead(404).end();
      else script(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1`, asked, requests, next: (...more) => void scripts.push(...more) };
}

export const head = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });

export const event = (data: unknown): string => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

export const delta = (content: string): object => ({
  choices: [{ index: 0, delta: { content }, finish_reason: null }],
});

export const finish = (reason: string): object => ({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });

export const called = (...parts: object[]): object => ({
  choices: [{ index: 0, delta: { tool_calls: parts }, finish_reason: null }],
});

/** The whole answer at once. */
export const stream =
  (...events: unknown[]): Script =>
  (response) =>
    head(response).end(events.map(event).join(''));

export const say = (...texts: string[]): Script => stream(...texts.map(delta), finish('stop'), '[DONE]');

/** One call of a tool, or several. */
export const callTools = (...calls: [name: string, args: string][]): Script =>
  stream(
    ...calls.map(([name, args], index) => called({ index, id: `c${index}`, function: { name, arguments: args } })),
    finish('tool_calls'),
    '[DONE]',
  );

export const refuse =
  (status: number, headers: Record<string, string> = {}): Script =>
  (response) =>
    response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end('{"error":{"message":"the key is sk-secret"}}');
