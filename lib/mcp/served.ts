// The other direction: the functions of the registry as tools of an MCP server. Nothing is kept between requests: each is answered by a server
// object of its own, which knows who asks. Who may ask, and how the call is made, is the business of the routes.

import { performance } from 'node:perf_hooks';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';
import type { CallToolResult, ListToolsResult, ServerContext, Tool } from '@modelcontextprotocol/server';
import type { Policy } from '../access/policy.ts';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import { toPlainFormat } from '../functions/format.ts';
import type { CallProgress, RegisteredFunction } from '../functions/function.ts';
import { functionNotFound, isInternal } from '../functions/registry.ts';
import type { Functions } from '../functions/registry.ts';
import type { Limits } from '../limits.ts';
import { invocationTooLarge, isObject, payloadBytes, payloadText } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { MAX_TOOL_PAGE_BYTES, MAX_TOOL_PAGE_ITEMS, PROGRESS_MS } from './bounds.ts';
import { toToolName, ToolNames } from './tool-names.ts';

/** One request, and who asks. */
export interface ToolExchange {
  readonly policy: Pick<Policy, 'listRefusal' | 'callRefusal'>;
  /** Rejects as calls of functions do. */
  readonly invoke: (
    functionId: string,
    payload: string,
    onProgress?: (progress: CallProgress) => void,
  ) => Promise<Payload>;
}

export class ServedTools {
  readonly #functions: Functions;
  readonly #names: ToolNames;
  /** Of the runtime. */
  readonly #version: string;
  readonly #limits: Limits;
  /** What was called: its schema, which may be large and packed, is looked at once. */
  readonly #takesObject = new WeakMap<RegisteredFunction, boolean>();

  constructor(functions: Functions, version: string, limits: Limits) {
    this.#functions = functions;
    this.#names = new ToolNames(functions);
    this.#version = version;
    this.#limits = limits;
  }

  /** Answers one POST, whose body has been parsed. */
  answer(request: Request, body: unknown, exchange: ToolExchange): Promise<Response> {
    // No subscriptions: there is nothing that such a stream would tell.
    const handler = createMcpHandler(() => this.#createServer(exchange), { maxSubscriptions: 0 });
    return handler.fetch(request, { parsedBody: body });
  }

  close(): void {
    this.#names.stop();
  }

  #createServer(exchange: ToolExchange): Server {
    const server = new Server({ name: 'greenroom', version: this.#version }, { capabilities: { tools: {} } });
    server.setRequestHandler('tools/list', ({ params }) => this.#list(params?.cursor, exchange));
    server.setRequestHandler('tools/call', ({ params: { name, arguments: given } }, context) =>
      this.#call({ name, given }, exchange, context),
    );
    return server;
  }

  #list(cursor: string | undefined, { policy }: ToolExchange): ListToolsResult {
    const after = cursor === undefined ? null : Buffer.from(cursor, 'base64url').toString();
    const tools: Tool[] = [];
    let bytes = 0;
    let last = '';
    for (const found of this.#functions.values()) {
      const { functionId, metadata } = found;
      if (after !== null && functionId <= after) continue;
      if (isInternal(found) || policy.listRefusal(functionId, metadata) !== null) continue;
      if (tools.length === MAX_TOOL_PAGE_ITEMS || bytes > MAX_TOOL_PAGE_BYTES) {
        return { tools, nextCursor: Buffer.from(last).toString('base64url') };
      }
      const tool = toTool(found);
      bytes += Buffer.byteLength(JSON.stringify(tool));
      tools.push(tool);
      last = functionId;
    }
    return { tools };
  }

  /** What goes wrong is a result too: a model can read it and try something else. */
  async #call(
    { name, given = {} }: { readonly name: string; readonly given: Record<string, unknown> | undefined },
    { policy, invoke }: ToolExchange,
    context: ServerContext,
  ): Promise<CallToolResult> {
    try {
      const found = this.#functions.get(this.#names.idOf(name) ?? '');
      if (found === undefined || isInternal(found)) throw functionNotFound(name);
      const refusal = policy.callRefusal(found.functionId, found.metadata);
      if (refusal !== null) throw refusal;
      const payload = this.#isGivenObject(found) ? given : (given['input'] ?? null);
      const output = await invoke(found.functionId, JSON.stringify(payload), progressOf(context));
      const bytes = payloadBytes(output);
      if (bytes > this.#limits.maxMessageBytes) throw invocationTooLarge(bytes, this.#limits.maxMessageBytes);
      return toResult(output);
    } catch (thrown) {
      return toFailedResult(asGreenroomError(thrown));
    }
  }

  #isGivenObject(found: RegisteredFunction): boolean {
    const known = this.#takesObject.get(found) ?? takesObject(toPlainFormat(found.requestFormat));
    this.#takesObject.set(found, known);
    return known;
  }
}

function toTool({ functionId, description, requestFormat }: RegisteredFunction): Tool {
  const schema = toPlainFormat(requestFormat);
  return {
    name: toToolName(functionId),
    title: functionId,
    ...(description !== null && { description }),
    inputSchema: takesObject(schema) ? schema : wrapped(schema),
  };
}

/** Arguments are an object; another input stands in one. */
function wrapped(schema: unknown): Tool['inputSchema'] {
  return { type: 'object', properties: { input: isObject(schema) ? schema : {} } } as Tool['inputSchema'];
}

/** False for a function that takes something else than an object, or does not say what. */
function takesObject(schema: unknown): schema is Tool['inputSchema'] {
  return isObject(schema) && schema['type'] === 'object';
}

/** The output as text, which every client reads; an object also as one. */
function toResult(output: Payload): CallToolResult {
  const text = payloadText(output);
  const value: unknown = JSON.parse(text);
  return {
    content: [{ type: 'text', text: typeof value === 'string' ? value : text }],
    ...(isObject(value) && { structuredContent: value }),
  };
}

function toFailedResult(error: GreenroomError): CallToolResult {
  // Whoever made it may have put a cause into its message.
  const told = error.code === 'internal' ? GreenroomError.of('internal') : error;
  return { content: [{ type: 'text', text: JSON.stringify({ error: told.toWire() }) }], isError: true };
}

/** Tells a client that asked for it how far a call has come. */
function progressOf({ mcpReq }: ServerContext): ((progress: CallProgress) => void) | undefined {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  let toldAtMs = -Infinity;
  return (progress) => {
    // What a client does not read waits in memory: it is not told more often than it needs to know.
    if (performance.now() - toldAtMs < PROGRESS_MS) return;
    toldAtMs = performance.now();
    // A client that has gone is noticed by its connection.
    mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...progress } }).catch(() => undefined);
  };
}
