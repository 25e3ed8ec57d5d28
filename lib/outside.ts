// What a runtime calls outside of itself, put together: where requests may go, who sends them, functions over HTTP, and sources. Nothing of
// it loads a library before it is used.

import { Guard } from './egress/guard.ts';
import type { Egress, EgressOptions } from './egress/egress.ts';
import type { Functions } from './functions/registry.ts';
import { UndiciClient } from './http/client.ts';
import { HttpFunctions } from './http/functions.ts';
import type { Limits } from './limits.ts';
import type { McpParts } from './mcp/source.ts';
import type { Logger } from './observe/log.ts';
import { Sources } from './sources/sources.ts';
import type { SourceType } from './sources/source.ts';

export interface OutsideOptions {
  /** Where functions over HTTP and sources may send requests, and with which secrets. Default: to public addresses, with none. */
  readonly http?: EgressOptions | undefined;
  /** Whether sources that are made by requests may start processes: MCP servers over stdio. Default false. */
  readonly allowStdioSources?: boolean | undefined;
}

interface OutsideParts {
  readonly functions: Functions;
  readonly limits: Limits;
  readonly log: Logger;
  /** Of the runtime. */
  readonly version: string;
  checkPayload(bytes: Uint8Array): void | Promise<void>;
}

export class Outside {
  readonly egress: Egress;
  readonly http: HttpFunctions;
  readonly sources: Sources;

  /** Throws `invalid_option`. */
  constructor({ http = {}, allowStdioSources }: OutsideOptions, parts: OutsideParts) {
    const { limits } = parts;
    this.egress = new Guard(http, limits);
    const client = new UndiciClient({ egress: this.egress, limits });
    this.http = new HttpFunctions({ ...parts, egress: this.egress, client });
    const mcp = { ...parts, egress: this.egress, allowStdioSources };
    this.sources = new Sources({ ...parts, loadType: (type) => loadType(type, { mcp }) });
  }

  /** Settles every call that is under way. */
  async close(): Promise<void> {
    await this.sources.close();
    await this.egress.close();
  }
}

/** Types of sources, each loaded when the first source of it is made. */
async function loadType(type: string, { mcp }: { readonly mcp: McpParts }): Promise<SourceType | null> {
  if (type === 'mcp') {
    const { McpType } = await import('./mcp/source.ts');
    return new McpType(mcp);
  }
  return null;
}
