// A client that holds every answer to the document of the API: status, type and schema must be described, and nothing may be left out.

import assert from 'node:assert/strict';
import { Validator } from '@cfworker/json-schema';
import type { Schema } from '@cfworker/json-schema';
import { dereference } from '@readme/openapi-parser';
import type { OpenAPIV3_1 } from 'openapi-types';
import type { Answer, Edge, SendOptions } from './support.ts';

type Operation = OpenAPIV3_1.OperationObject & { responses: Record<string, OpenAPIV3_1.ResponseObject> };
export type ApiDocument = Omit<OpenAPIV3_1.Document, 'paths'> & { paths: Record<string, Record<string, Operation>> };

export interface Request extends SendOptions {
  /** What stands for `{…}` in the route, in order. */
  path?: string[];
  query?: string;
}

export interface DescribedClient {
  readonly document: ApiDocument;
  /** Routes with the statuses that they have answered with: `GET /livez 200`. */
  readonly seen: Set<string>;
  readonly call: (route: string, request?: Request) => Promise<Answer>;
}

export async function describedClient(send: Edge['send']): Promise<DescribedClient> {
  const { json } = await send('GET', '/v1/openapi.json');
  const document = (await dereference(structuredClone(json) as never)) as unknown as ApiDocument;
  const seen = new Set<string>();
  return {
    document,
    seen,
    async call(route, { path = [], query = '', ...options } = {}) {
      const [method = '', template = ''] = route.split(' ');
      const operation = document.paths[template]?.[method.toLowerCase()];
      assert.ok(operation, `${route} is not described`);
      const values = [...path];
      const url = template.replaceAll(/\{\w+\}/g, () => encodeURIComponent(values.shift() ?? ''));
      const answer = await send(method, `${url}${query}`, options);
      requireDescribed(operation, answer, route);
      seen.add(`${route} ${answer.status}`);
      return answer;
    },
  };
}

function requireDescribed(operation: Operation, answer: Answer, route: string): void {
  const { status, headers, text } = answer;
  const response = operation.responses[String(status)];
  assert.ok(response, `${route} does not describe ${status}: ${text.slice(0, 200)}`);
  if (response.content === undefined) {
    const said = { text, type: headers['content-type'] };
    return assert.deepEqual(said, { text: '', type: undefined }, `${route} answers more than it describes`);
  }
  const [type = ''] = String(headers['content-type']).split(';');
  const media = response.content[type];
  assert.ok(media, `${route} does not describe ${type} with ${status}`);
  if (type !== 'application/json') return;
  if (status >= 400) {
    const { code } = answer.json.error;
    assert.ok(response.description.includes(`\`${code}\``), `${route} does not describe ${code}`);
  }
  const { valid, errors } = new Validator(exact(media.schema) as Schema, '2020-12').validate(JSON.parse(text));
  assert.ok(valid, `${route} ${status}: ${JSON.stringify(errors)}\n${text.slice(0, 500)}`);
}

/** Clients must bear members that they do not know; here one that is not described is a mistake. */
function exact(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(exact);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, exact(value)]));
  return 'properties' in inner ? { additionalProperties: false, ...inner } : inner;
}
