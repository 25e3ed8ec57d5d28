// What a Backend registers as a function over HTTP, read: from a request, from the options, or from the store.

import * as v from 'valibot';
import type { FunctionSpec } from '../functions/function.ts';
import { MAX_REGISTRATION_BYTES } from '../limits.ts';
import { invalidRequest, requireValid } from '../protocol/issues.ts';
import { decode, encode, isObject, payloadBytes, requireSize } from '../protocol/payload.ts';
import { definitionEntries } from './definition.ts';

/** The group of a function that names none. */
export const DEFAULT_GROUP = 'http';

/** A HttpFunctionDocument: the body of `PUT /v1/functions/{id}`. */
export const HttpFunctionBody = v.strictObject({
  ...definitionEntries,
  description: v.nullish(v.string()),
  /** JSON Schema. */
  request_format: v.nullish(v.unknown()),
  response_format: v.nullish(v.unknown()),
  metadata: v.nullish(v.unknown()),
  /** Default `http`. */
  group: v.nullish(v.string()),
});

export interface Registration {
  /** The document, encoded. */
  readonly text: string;
  readonly spec: FunctionSpec;
  readonly group: string;
  /** As HttpFunctions.register takes it. */
  readonly invocation: unknown;
}

/** A copy of the document, so that whoever gave it cannot change it afterwards. Throws `invalid_request` or `payload_too_large`. */
export function readRegistration(functionId: string, document: unknown): Registration {
  if (!isObject(document)) throw invalidRequest('', 'expected an object');
  const text = encode(document);
  requireSize(payloadBytes(text), MAX_REGISTRATION_BYTES, 'config');
  const {
    description,
    request_format: requestFormat,
    response_format: responseFormat,
    metadata,
    group,
    ...invocation
  } = requireValid(HttpFunctionBody, decode(text), 'invalid_request');
  const formats = { requestFormat: requestFormat ?? undefined, responseFormat: responseFormat ?? undefined };
  const spec = { functionId, description: description ?? null, ...formats, metadata: metadata ?? undefined };
  return { text, spec, group: group ?? DEFAULT_GROUP, invocation };
}
