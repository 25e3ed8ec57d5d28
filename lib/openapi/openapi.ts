// OpenAPI documents as sources: each operation is a function. The document is fetched through the guard, or given; reading it is the
// reader's work, in a thread.

import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Egress } from '../egress/egress.ts';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import { EncodedFormat } from '../functions/format.ts';
import type { HttpClient } from '../http/exchange.ts';
import { SOURCE_READ_TIMEOUT_MS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { packLater, unpackLater } from '../protocol/packed.ts';
import type { PackedText } from '../protocol/packed.ts';
import { joined, reasonOf } from '../protocol/waits.ts';
import type {
  OpenSource,
  SourceDefinition,
  SourceEvents,
  SourceFunction,
  SourceHealth,
  SourceReading,
  SourceType,
  Unmapped,
} from '../sources/source.ts';
import type { OpenReader } from './files.ts';
import type { DocumentReading, EncodedOperation, Operation, ReadDocument } from './operation.ts';
import { PreparedOperations } from './prepared.ts';
import { Origins } from './origins.ts';
import { OPERATIONS_PER_TURN } from './bounds.ts';
import { notesFor, requireSchemes } from './security.ts';
import type { Auth } from './security.ts';
import { OperationServer } from './server.ts';
import type { OperationParts } from './server.ts';
import { requireSettings } from './settings.ts';
import type { OpenApiSettings } from './settings.ts';

export interface OpenApiParts {
  readonly client: HttpClient;
  readonly egress: Pick<Egress, 'check' | 'secret'>;
  readonly limits: Limits;
  readonly openReader: OpenReader;
  readonly readDocument: ReadDocument;
  /** Aborted when the runtime ends, with what calls under way are told. */
  readonly ended: AbortSignal;
  checkPayload(bytes: Uint8Array): void | Promise<void>;
}

export class OpenApiType implements SourceType {
  readonly type = 'openapi';
  readonly #parts: OpenApiParts;
  /** Of all sources: what is bounded is the memory of the runtime. */
  readonly #prepared = new PreparedOperations();

  constructor(parts: OpenApiParts) {
    this.#parts = parts;
  }

  open({ settings }: SourceDefinition, events: SourceEvents): OpenSource {
    return new OpenApiSource(requireSettings(settings), this.#parts, this.#prepared, events);
  }
}

class OpenApiSource implements OpenSource {
  readonly #settings: Omit<OpenApiSettings, 'document'>;
  #document: PackedText;
  readonly #parts: OpenApiParts;
  readonly #prepared: PreparedOperations;
  readonly #events: SourceEvents;
  readonly #closing = new AbortController();
  #health: SourceHealth = { status: 'connecting', error: null };

  constructor(
    { document = '', ...settings }: OpenApiSettings,
    parts: OpenApiParts,
    prepared: PreparedOperations,
    events: SourceEvents,
  ) {
    this.#settings = settings;
    this.#document = typeof document === 'string' ? document : JSON.stringify(document);
    this.#parts = parts;
    this.#prepared = prepared;
    this.#events = events;
  }

  get health(): SourceHealth {
    return this.#health;
  }

  /** Rejects with `invalid_source`, `url_validation_failed`, `cancelled`, the reason of the signal, or what fetching the document rejects with. */
  async read(whileWanted: AbortSignal): Promise<SourceReading> {
    const { signal, release } = joined([whileWanted, this.#closing.signal]);
    try {
      const made = await this.#read(signal);
      this.#setHealth({ status: 'available', error: null });
      return made;
    } catch (thrown) {
      const error = signal.aborted ? reasonOf(signal) : asGreenroomError(thrown);
      this.#setHealth({ status: 'failed', error: error.code });
      throw error;
    } finally {
      release();
    }
  }

  /** Calls under way are not the source's: they end by their own time. */
  async close(): Promise<void> {
    this.#closing.abort();
  }

  async #read(signal: AbortSignal): Promise<SourceReading> {
    const { base_url: baseUrl, server_variables: serverVariables = {}, auth = {}, url } = this.#settings;
    const { limits, readDocument } = this.#parts;
    const fetchDocument = (from: string, maxBytes: number): Promise<string> => this.#fetch(from, maxBytes, signal);
    const text = url === undefined ? await this.#given() : await fetchDocument(url, limits.maxSourceBytes);
    const reading = await readDocument(
      text,
      { documentUrl: url ?? null, baseUrl: baseUrl ?? null, serverVariables },
      { maxBytes: limits.maxSourceBytes, maxOperations: limits.maxFunctionsPerSource, signal, fetchDocument },
    );
    requireSchemes(auth, reading.securitySchemes);
    return this.#functionsOf(reading, auth, signal);
  }

  /** The document that came with the definition. It is wanted again only by a refresh, and kept packed until then. */
  async #given(): Promise<string> {
    const text = (await unpackLater(this.#document)).toString();
    if (typeof this.#document === 'string') this.#document = await packLater(text);
    return text;
  }

  async #fetch(url: string, maxBytes: number, signal: AbortSignal): Promise<string> {
    const { body } = await this.#parts.client.fetchDocument(url, maxBytes, {
      timeoutMs: SOURCE_READ_TIMEOUT_MS,
      signal,
    });
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(body);
    } catch (cause) {
      throw GreenroomError.of('invalid_source', { message: 'The document is not UTF-8.', cause });
    }
  }

  async #functionsOf(reading: DocumentReading, auth: Auth, signal: AbortSignal): Promise<SourceReading> {
    const functions: SourceFunction[] = [];
    const unmapped: Unmapped[] = [...reading.unmapped];
    const parts = this.#operationParts(reading, auth);
    const stamp = JSON.stringify([auth, this.#settings.headers, reading.securitySchemes]);
    const origins = new Origins(this.#parts.egress, signal);
    for (const [nth, encoded] of reading.operations.entries()) {
      if (nth % OPERATIONS_PER_TURN === OPERATIONS_PER_TURN - 1) await turn(undefined, { signal });
      const operation = JSON.parse(encoded.operation) as Operation;
      const refusal = await origins.refusalOf(operation.baseUrl);
      if (refusal !== null) {
        unmapped.push({ operation: operation.label, reason: refusal.message, isServed: false });
        continue;
      }
      for (const reason of notesFor(operation, auth)) {
        unmapped.push({ operation: operation.label, reason, isServed: true });
      }
      functions.push(functionOf(encoded, operation, stamp, parts));
    }
    if (functions.length === 0 && origins.firstRefusal !== null) throw origins.firstRefusal;
    return { functions, unmapped, title: reading.title };
  }

  #operationParts({ securitySchemes }: DocumentReading, auth: Auth): OperationParts {
    const { client, egress, limits, openReader, ended } = this.#parts;
    return {
      client,
      prepared: this.#prepared,
      ended,
      request: {
        headers: this.#settings.headers ?? {},
        timeoutMs: limits.invocationTimeoutMs,
        openReader,
        schemes: securitySchemes,
        auth,
        secret: (variable) => egress.secret(variable),
      },
      response: {
        maxBytes: limits.maxMessageBytes,
        checkPayload: (bytes) => this.#parts.checkPayload(bytes),
      },
    };
  }

  #setHealth(health: SourceHealth): void {
    const { status, error } = this.#health;
    if (status === health.status && error === health.error) return;
    this.#health = health;
    this.#events.healthChanged(health);
  }
}

function functionOf(
  encoded: EncodedOperation,
  operation: Operation,
  stamp: string,
  parts: OperationParts,
): SourceFunction {
  const { name, description, requestFormat, responseFormat } = encoded;
  const { label, tags, isDeprecated } = operation;
  return {
    name,
    description,
    requestFormat: new EncodedFormat(requestFormat),
    responseFormat: responseFormat === null ? null : new EncodedFormat(responseFormat),
    metadata: { operation: label, ...(tags.length > 0 && { tags }), ...(isDeprecated && { deprecated: true }) },
    server: new OperationServer({ operation: encoded.operation, requestFormat }, parts),
    fingerprint: createHash('sha256').update(encoded.fingerprint).update(stamp).digest('base64url'),
  };
}
