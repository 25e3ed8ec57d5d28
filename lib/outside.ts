// What a runtime calls outside of itself, put together: where requests may go, who sends them, functions over HTTP, and sources. Nothing of
// it loads a library before it is used.

import type { Readable } from 'node:stream';
import { Channels } from './channels/channels.ts';
import { openChannel } from './channels/open.ts';
import { Guard } from './egress/guard.ts';
import type { Egress, EgressOptions } from './egress/egress.ts';
import { Groups } from './functions/groups.ts';
import { Peers } from './functions/peers.ts';
import { Functions } from './functions/registry.ts';
import { BackendFunctions } from './http/backend.ts';
import type { BackendParts } from './http/backend.ts';
import { UndiciClient } from './http/client.ts';
import type { HttpClient } from './http/exchange.ts';
import { HttpFunctions } from './http/functions.ts';
import { GreenroomError } from './errors.ts';
import { resolveLimits } from './limits.ts';
import type { Limits } from './limits.ts';
import { silentLog } from './observe/log.ts';
import type { Logger } from './observe/log.ts';
import type { ChannelRef } from './protocol/channel-ref.ts';
import type { HttpFunctionDocument } from './protocol/http-function.ts';
import type { SourceRequest } from './protocol/source-request.ts';
import type { SourcePreview } from './protocol/views.ts';
import { Sources } from './sources/sources.ts';
import type { SourcesParts, SourceTypes } from './sources/sources.ts';

export interface OutsideOptions {
  /** Where functions over HTTP and sources may send requests, and with which secrets. Default: to public addresses, with none. */
  readonly http?: EgressOptions | undefined;
  /** Sources that are made at every start, each as `POST /v1/sources` takes it. One that cannot be read is tried again. Default none. */
  readonly sources?: readonly SourceRequest[] | undefined;
  /** Functions over HTTP by their ids, each as `PUT /v1/functions/{id}` takes it. One that cannot be registered ends the start. Default none. */
  readonly functions?: Readonly<Record<string, HttpFunctionDocument>> | undefined;
  /** Whether sources that are made by requests may start processes: MCP servers over stdio. Default false. */
  readonly allowStdioSources?: boolean | undefined;
}

interface OutsideParts {
  readonly functions: Functions;
  readonly channels: Channels;
  /** Of the runtime. */
  readonly version: string;
  readonly limits: Limits;
  readonly log: Logger;
  readonly store: SourcesParts['store'] & BackendParts['store'];
  checkPayload(bytes: Uint8Array): void | Promise<void>;
}

interface TypeParts extends Omit<OutsideParts, 'store'> {
  readonly egress: Egress;
  readonly client: HttpClient;
  readonly allowStdioSources?: boolean | undefined;
  /** Aborted when the runtime ends, with what calls under way are told. */
  readonly ended: AbortSignal;
  /** Where operations of documents may go; the documents themselves come through `client`. Default `egress`. */
  readonly operationEgress?: Pick<Egress, 'check' | 'secret'> | undefined;
}

export class Outside {
  readonly egress: Egress;
  readonly http: HttpFunctions;
  readonly backend: BackendFunctions;
  readonly sources: Sources;
  readonly #ending = new AbortController();
  readonly #functions: unknown;
  readonly #configured: readonly unknown[];

  /** Throws `invalid_option`. */
  constructor(options: OutsideOptions, parts: OutsideParts) {
    const { http = {}, functions = {}, sources = [], allowStdioSources } = options;
    const { limits } = parts;
    this.egress = new Guard(http, limits);
    const client = new UndiciClient({ egress: this.egress, limits });
    this.http = new HttpFunctions({ ...parts, egress: this.egress, client });
    this.backend = new BackendFunctions({ ...parts, http: this.http });
    this.#functions = functions;
    this.sources = new Sources({
      ...parts,
      types: sourceTypes({ ...parts, egress: this.egress, client, allowStdioSources, ended: this.#ending.signal }),
    });
    this.#configured = sources;
  }

  /** Registers the functions and makes the sources of the options, and those of the store. Rejects with `invalid_option`; see Sources.open. */
  async open(): Promise<void> {
    await this.backend.open(this.#functions, this.#ending.signal);
    await this.sources.open(this.#configured);
  }

  /** Settles every call that is under way. */
  async close(): Promise<void> {
    this.#ending.abort(GreenroomError.of('invocation_stopped', { message: 'The runtime has ended.' }));
    await this.sources.close();
    await this.egress.close();
  }
}

/** Types of sources, each loaded when the first source of it is made. */
function sourceTypes(parts: TypeParts): SourceTypes {
  return {
    openapi: async () => {
      const [{ OpenApiType }, { readDocument }] = await Promise.all([
        import('./openapi/openapi.ts'),
        import('./openapi/reading.ts'),
      ]);
      const openReader = (ref: ChannelRef<'read'>) => openChannel(parts.channels, ref) as Readable;
      return new OpenApiType({ ...parts, egress: parts.operationEgress ?? parts.egress, openReader, readDocument });
    },
    mcp: async () => new (await import('./mcp/source.ts')).McpType(parts),
  };
}

/**
 * Says what a source would make, without a runtime. Where the operations of a document lead is not looked at: nothing is sent there, and what
 * may be reached is for the runtime to say. Rejects as `Runtime.createSource` does.
 */
export async function inspectSource(request: SourceRequest): Promise<SourcePreview> {
  const limits = resolveLimits();
  const groups = new Groups({ peers: new Peers(), version: '', isWorker: () => false, countOf: () => 0 });
  const kept = { putSource: () => undefined, deleteSource: () => undefined, committed: () => Promise.resolve() };
  const store = { sources: () => [], trouble: null, ...kept };
  const [functions, channels] = [new Functions(groups), new Channels(limits)];
  const parts = { functions, channels, version: '', limits, log: silentLog, store, checkPayload: () => undefined };
  const egress = new Guard({}, limits);
  const operationEgress = { check: async (url: string) => new URL(url), secret: () => undefined };
  const types = sourceTypes({
    ...parts,
    egress,
    client: new UndiciClient({ egress, limits }),
    ended: new AbortController().signal,
    operationEgress,
  });
  const sources = new Sources({ ...parts, types });
  try {
    return await sources.preview(request, { isFromOperator: true });
  } finally {
    await sources.close();
    await egress.close();
  }
}
