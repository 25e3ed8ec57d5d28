// MCP servers as sources: each tool is a function. A server that listens is reached over HTTP, through the guard; another is a process that
// the runtime starts, which takes an operator's word. Loaded when the first of them is made.

import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Tool, Transport } from '@modelcontextprotocol/client';
import type { Egress } from '../egress/egress.ts';
import { GreenroomError } from '../errors.ts';
import type { FunctionCall } from '../functions/function.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import type { Payload } from '../protocol/payload.ts';
import type {
  OpenSource,
  SourceDefinition,
  SourceEvents,
  SourceHealth,
  SourceReading,
  SourceType,
} from '../sources/source.ts';
import { GOODBYE_MS } from './bounds.ts';
import { Calls } from './calls.ts';
import { Connection } from './connection.ts';
import { givenUp, notConnected, toFailure } from './failures.ts';
import { createHttpTransport } from './http.ts';
import { readSettings } from './settings.ts';
import type { HttpSettings, StdioSettings } from './settings.ts';
import { StdioTransport } from './stdio.ts';
import { listTools, toFunctions } from './tools.ts';

export interface McpParts {
  readonly egress: Egress;
  readonly limits: Limits;
  readonly log: Logger;
  /** Of the runtime. */
  readonly version: string;
  /** Whether requests, and not only the operator, may have processes started. Default false. */
  readonly allowStdioSources?: boolean | undefined;
  /** Where PATH, HOME and LANG of child processes come from. Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

export class McpType implements SourceType {
  readonly type = 'mcp';
  readonly #parts: McpParts;

  constructor(parts: McpParts) {
    this.#parts = parts;
  }

  /** Throws, beside what the contract says, `url_validation_failed`, and `forbidden` for a process that the caller may not have started. */
  open(definition: SourceDefinition, events: SourceEvents): OpenSource {
    const { egress, allowStdioSources = false } = this.#parts;
    const settings = readSettings(definition.settings);
    if (settings.transport === 'http') egress.parse(settings.http.url, 'public');
    else if (!definition.isFromOperator && !allowStdioSources) {
      throw GreenroomError.of('forbidden', {
        message: 'Processes are started only for sources of the configuration, or with --allow-stdio-sources.',
      });
    }
    return new McpSource(definition.name, settings, { ...this.#parts, events });
  }
}

class McpSource implements OpenSource {
  readonly #parts: McpParts & { readonly events: SourceEvents };
  readonly #connection: Connection;
  readonly #calls: Calls;

  constructor(
    name: string,
    settings: ReturnType<typeof readSettings>,
    parts: McpParts & { readonly events: SourceEvents },
  ) {
    const { limits, log, version, events } = parts;
    this.#parts = parts;
    const isHttp = settings.transport === 'http';
    this.#calls = new Calls(limits, isHttp);
    this.#connection = new Connection({
      name,
      limits,
      log,
      version,
      isProcess: !isHttp,
      openTransport: (signal) =>
        settings.transport === 'http' ? this.#openHttp(settings.http, signal) : this.#openStdio(settings.stdio, name),
      leave,
      onReconnected: () => events.changed(),
      onToolsChanged: () => events.changed(),
      onHealth: (health) => events.healthChanged(health),
    });
  }

  get health(): SourceHealth {
    return this.#connection.health;
  }

  async read(signal: AbortSignal): Promise<SourceReading> {
    const { limits } = this.#parts;
    const client = await this.#connection.ready(signal);
    try {
      const tools = await listTools(client, { limits, signal });
      const { name, title } = client.getServerVersion() ?? {};
      const made = toFunctions(tools, (tool) => {
        const definition = definitionOf(tool);
        return { serve: (_fn, call) => this.#serve(definition, call) };
      });
      return { ...made, title: title ?? name ?? null };
    } catch (thrown) {
      if (signal.aborted) throw GreenroomError.of('cancelled', { cause: thrown });
      this.#connection.check();
      throw toFailure(thrown, limits.maxMessageBytes);
    }
  }

  /** Calls under way are told `invocation_stopped`. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  async #serve(tool: Tool, call: FunctionCall): Promise<Payload> {
    const { client, health } = this.#connection;
    if (client === null) throw health.status === 'failed' ? givenUp() : notConnected();
    try {
      return await this.#calls.make(client, tool, call);
    } catch (thrown) {
      const failure = toFailure(thrown, this.#parts.limits.maxMessageBytes);
      // The library has no error of its own for a client that was closed just now.
      const isEnded = failure.code === 'internal' && this.#connection.client !== client;
      throw isEnded ? GreenroomError.of('invocation_stopped', { cause: thrown }) : failure;
    }
  }

  #openHttp(settings: HttpSettings, signal: AbortSignal): Promise<Transport> {
    const { egress, limits } = this.#parts;
    const onUnreachable = (): void => this.#connection.check();
    const onSessionLost = (): void => this.#connection.lose();
    return createHttpTransport(
      { settings, egress, limits, calls: this.#calls.open, onUnreachable, onSessionLost },
      signal,
    );
  }

  /** Rejects with `secret_not_found` when a variable that it is to be given is not there. */
  async #openStdio({ command, args, cwd, env }: StdioSettings, name: string): Promise<Transport> {
    const { egress, limits, log, environment = process.env } = this.#parts;
    const given: Record<string, string> = {};
    for (const inherited of INHERITED_VARIABLES) {
      const value = environment[inherited];
      if (value !== undefined) given[inherited] = value;
    }
    for (const [key, value] of Object.entries(env)) {
      // Whoever reads the error need not be who made the source: the name of the variable is not said.
      const found = typeof value === 'string' ? value : egress.secret(value.variable);
      if (found === undefined) {
        const message = 'A variable of the process is not set, or may not be used.';
        throw GreenroomError.of('secret_not_found', { message });
      }
      given[key] = found;
    }
    return new StdioTransport({ command: { command, args, cwd, env: given }, name, limits, log });
  }
}

const INHERITED_VARIABLES = ['PATH', 'HOME', 'LANG'];

/** What has to be known of a tool to call it: of its schema only what tells which arguments are also sent as headers. */
function definitionOf({ name, inputSchema }: Tool): Tool {
  const isMirrored = JSON.stringify(inputSchema).includes('"x-mcp-header"');
  return { name, inputSchema: isMirrored ? inputSchema : { type: 'object' } };
}

/** A server with sessions is told that this one is over; one that does not answer is not waited for. */
async function leave(transport: Transport): Promise<void> {
  if (!(transport instanceof StreamableHTTPClientTransport)) return;
  const told = transport.terminateSession().catch(() => undefined);
  await Promise.race([told, new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref())]);
}
