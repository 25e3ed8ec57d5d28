// Reads documents of the tests in the real thread, and shows what became of them decoded.

import { GreenroomError } from '../../lib/errors.ts';
import { DEFAULT_LIMITS } from '../../lib/limits.ts';
import type { DocumentReading, DocumentSettings, EncodedOperation, Operation } from '../../lib/openapi/operation.ts';
import { unpackText } from '../../lib/protocol/packed.ts';
import { readDocument } from '../../lib/openapi/reading.ts';

export interface ReadOptions extends Partial<DocumentSettings> {
  readonly maxBytes?: number;
  readonly maxOperations?: number;
  readonly signal?: AbortSignal;
  /** Documents by URL, as somebody else serves them. */
  readonly served?: Readonly<Record<string, unknown>>;
  readonly fetchDocument?: (url: string, maxBytes: number) => Promise<string>;
}

export interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly $defs?: Readonly<Record<string, unknown>>;
}

/** An operation with its schemas as values. */
export interface Shown extends Operation, Pick<EncodedOperation, 'name' | 'description' | 'fingerprint'> {
  readonly request: Schema;
  readonly response: Schema | null;
}

export function readText(text: string, options: ReadOptions = {}): Promise<DocumentReading> {
  const { maxBytes, maxOperations, signal, served = {}, fetchDocument, ...settings } = options;
  return readDocument(
    text,
    { documentUrl: 'https://api.test/openapi.json', baseUrl: null, serverVariables: {}, ...settings },
    {
      maxBytes: maxBytes ?? DEFAULT_LIMITS.maxSourceBytes,
      maxOperations: maxOperations ?? DEFAULT_LIMITS.maxFunctionsPerSource,
      signal: signal ?? new AbortController().signal,
      fetchDocument:
        fetchDocument ??
        (async (url) => {
          if (!Object.hasOwn(served, url)) throw GreenroomError.of('http_error');
          return JSON.stringify(served[url]);
        }),
    },
  );
}

export async function read(document: unknown, options: ReadOptions = {}) {
  const reading = await readText(JSON.stringify(document), options);
  const operations = Object.fromEntries(
    reading.operations.map(
      ({ name, description, operation, requestFormat, responseFormat, fingerprint }): [string, Shown] => [
        name,
        {
          ...(JSON.parse(operation) as Operation),
          name,
          description,
          request: JSON.parse(unpackText(requestFormat)) as Schema,
          response: responseFormat === null ? null : (JSON.parse(unpackText(responseFormat)) as Schema),
          fingerprint,
        },
      ],
    ),
  );
  return { ...reading, operations };
}

/** The one operation `POST /things` of a document of 3.1, unless its parts say otherwise. */
export async function readOne(operation: object, rest: object = {}, options: ReadOptions = {}) {
  const document = { openapi: '3.1.0', paths: { '/things': { post: { operationId: 'one', ...operation } } }, ...rest };
  const { operations, unmapped } = await read(document, options);
  return { ...(operations['one'] as Shown), unmapped };
}

export const json = (schema: unknown) => ({ content: { 'application/json': { schema } } });

export const reasons = ({ unmapped }: Pick<DocumentReading, 'unmapped'>) => unmapped.map(({ reason }) => reason);
