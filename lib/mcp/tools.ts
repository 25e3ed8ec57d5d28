// The tools of a server, read page by page with every bound, and as functions of a source.

import { createHash } from 'node:crypto';
import type { Client, Tool } from '@modelcontextprotocol/client';
import { GreenroomError } from '../errors.ts';
import { EncodedFormat } from '../functions/format.ts';
import type { FunctionServer } from '../functions/function.ts';
import { MAX_REGISTRATION_BYTES } from '../limits.ts';
import type { Limits } from '../limits.ts';
import type { SourceFunction, Unmapped } from '../sources/source.ts';
import { MAX_PAGES, MAX_TOOL_NAME_CHARS, TOOL_HASH_CHARS } from './bounds.ts';

/** Rejects with `invalid_source` when there are more than the bounds allow, or with what the library rejects with. */
export async function listTools(
  client: Client,
  { limits, signal }: { readonly limits: Limits; readonly signal: AbortSignal },
): Promise<Tool[]> {
  if (client.getServerCapabilities()?.tools === undefined) return [];
  const tools: Tool[] = [];
  let bytes = 0;
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    // Not `client.listTools`: it would keep what it has listed, and compile every schema of a stranger.
    const request = { method: 'tools/list' as const, params: cursor === undefined ? {} : { cursor } };
    const result = await client.request(request, { signal, timeout: limits.startTimeoutMs });
    tools.push(...result.tools);
    bytes += Buffer.byteLength(JSON.stringify(result.tools));
    if (tools.length > limits.maxFunctionsPerSource) throw tooMany(`more than ${limits.maxFunctionsPerSource} tools`);
    if (bytes > limits.maxSourceBytes) throw tooMany(`tools of more than ${limits.maxSourceBytes} bytes`);
    if (result.nextCursor === undefined) return tools;
    cursor = result.nextCursor;
  }
  throw tooMany(`more than ${MAX_PAGES} pages of tools`);
}

function tooMany(what: string): GreenroomError {
  return GreenroomError.of('invalid_source', { message: `The MCP server lists ${what}.` });
}

/** `serverOf` makes what answers the calls of one tool. */
export function toFunctions(
  tools: readonly Tool[],
  serverOf: (tool: Tool) => FunctionServer,
): { functions: SourceFunction[]; unmapped: Unmapped[] } {
  const functions = new Map<string, SourceFunction>();
  const unmapped: Unmapped[] = [];
  for (const tool of tools) {
    const made = toFunction(tool, serverOf);
    const leave = (reason: string): unknown => unmapped.push({ operation: tool.name, reason, isServed: false });
    if (typeof made === 'string') leave(made);
    else if (functions.has(made.name)) leave('the server lists the name more than once');
    else functions.set(made.name, made);
  }
  return { functions: [...functions.values()], unmapped };
}

/** The reason why not, or the function. */
function toFunction(tool: Tool, serverOf: (tool: Tool) => FunctionServer): SourceFunction | string {
  const { name, title, description, inputSchema, outputSchema, annotations } = tool;
  const requestFormat = JSON.stringify(inputSchema);
  const responseFormat = outputSchema === undefined ? null : JSON.stringify(outputSchema);
  const mcp = { tool: name, ...(title !== undefined && { title }), ...(annotations && { annotations }) };
  const said = JSON.stringify([name, description ?? null, requestFormat, responseFormat, mcp]);
  if (Buffer.byteLength(said) > MAX_REGISTRATION_BYTES) {
    return `its description and schemas have more than ${MAX_REGISTRATION_BYTES} bytes`;
  }
  return {
    name: toFunctionName(name),
    description: description ?? title ?? null,
    requestFormat: new EncodedFormat(requestFormat),
    responseFormat: responseFormat === null ? undefined : new EncodedFormat(responseFormat),
    metadata: { mcp },
    server: serverOf(tool),
    fingerprint: hashOf(said),
  };
}

/**
 * The name itself where it can be part of an id. Another is cleaned and gets a suffix that follows from itself alone, so that it stays the
 * same whatever else the server lists, now or later.
 */
export function toFunctionName(tool: string): string {
  const clean = tool.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, MAX_TOOL_NAME_CHARS);
  return clean === tool && tool !== '' ? tool : `${clean}-${hashOf(tool).slice(0, TOOL_HASH_CHARS)}`;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
