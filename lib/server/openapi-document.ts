// The OpenAPI document of this API, made from the rows of openapi-table.ts. Schemas that have a name here are in its components, once.

import { toJsonSchemaDefs } from '@valibot/to-json-schema';
import type { ConversionConfig } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { ERRORS } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { MAX_PAGE_ITEMS } from '../limits.ts';
import { HEADERS, ROUTES } from './openapi-table.ts';
import type { MediaType, RouteRow } from './openapi-table.ts';
import { pageLimit, sequence } from './request.ts';
import * as views from './view-schemas.ts';

type Json = Record<string, unknown>;

const Failure = v.object({ error: views.WireError });
/** Arrive as text; what a client is to send is a number. */
const NUMBERS = {
  PageLimit: { type: 'integer', minimum: 1, maximum: MAX_PAGE_ITEMS },
  Position: { type: 'integer', minimum: 0 },
} as const;
const COMPONENTS = { ...views, Failure, PageLimit: pageLimit, Position: sequence };

const refOf = (name: string): string => `#/components/schemas/${name}`;
const FAILURE = { $ref: refOf('Failure') };
const CONVERSION: ConversionConfig = {
  typeMode: 'input',
  errorMode: 'ignore',
  target: 'draft-2020-12',
  overrideRef: ({ referenceId }) => refOf(referenceId),
};

/** A schema as it stands in the document. */
type SchemaOf = (schema: v.GenericSchema) => object;

/** @param prefix of the paths, where an app has the routes under one; without a slash at the end */
export function describeApi(version: string, prefix = ''): Json {
  const { schemaOf, components } = convert();
  const paths: Record<string, Json> = {};
  for (const row of ROUTES) {
    const [method, path] = row.route.split(' ') as [string, string];
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(row, path, schemaOf) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Greenroom', version, description: 'Stateful workers on threads, commanded over REST.' },
    servers: [{ url: prefix === '' ? '/' : prefix }],
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: components,
    },
  };
}

function operationOf(row: RouteRow, path: string, schemaOf: SchemaOf): Json {
  const { id, summary, query, headers = [], body, answers, isOpen } = row;
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => parameter('path', String(name), { required: true })),
    ...(query === undefined ? [] : queryParameters(query, schemaOf)),
    ...headers.map((name) => parameter('header', name.replace('-async', ''), { description: HEADERS[name] })),
  ];
  return {
    operationId: id,
    summary,
    ...(isOpen && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: requestBody(body, schemaOf) }),
    responses: { ...successes(answers, summary, schemaOf), ...failures(errorsOf(row)) },
  };
}

const parameter = (place: string, name: string, rest: Json): Json => ({
  name,
  in: place,
  schema: { type: 'string' },
  ...rest,
});

function queryParameters(query: v.GenericSchema, schemaOf: SchemaOf): Json[] {
  const { properties = {}, required = [] } = schemaOf(query) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { default: byDefault, ...schema }]) =>
    parameter('query', name, {
      schema,
      ...(byDefault !== undefined && { description: `Default ${JSON.stringify(byDefault)}.` }),
      ...(required.includes(name) && { required: true }),
    }),
  );
}

function requestBody(body: NonNullable<RouteRow['body']>, schemaOf: SchemaOf): Json {
  if (typeof body === 'string') return { required: true, content: contentOf(body, schemaOf) };
  return { required: body.isRequired, content: contentOf(body.schema, schemaOf) };
}

function successes(answers: RouteRow['answers'], description: string, schemaOf: SchemaOf): Json {
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [status, { description, content: contentOf(answer, schemaOf) }]),
  );
}

function contentOf(of: v.GenericSchema | MediaType, schemaOf: SchemaOf): Json {
  if (typeof of !== 'string') return { 'application/json': { schema: schemaOf(of) } };
  return { [of]: { schema: of === 'application/octet-stream' ? {} : { type: 'string' } } };
}

/** What any route may answer with follows from what it takes. */
function errorsOf({ route, isOpen, body, errors = [] }: RouteRow): ErrorCode[] {
  const codes = new Set<ErrorCode>(errors);
  const common: ErrorCode[] = ['unauthorized', 'invalid_query', 'invalid_request', 'runtime_unavailable', 'internal'];
  if (isOpen === undefined) for (const code of common) codes.add(code);
  if (route.includes('{')) codes.add('route_not_found');
  if (body === 'application/x-ndjson') codes.add('unsupported_media_type');
  if (typeof body === 'object')
    for (const code of ['invalid_json', 'payload_too_large', 'unsupported_media_type', 'runtime_overloaded'] as const)
      codes.add(code);
  return [...codes];
}

/** By status, each with its codes; `worker_busy` has two. */
function failures(codes: readonly ErrorCode[]): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes)
    for (const status of code === 'worker_busy' ? [ERRORS[code].status, 409] : [ERRORS[code].status])
      byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, those]) => [
      status,
      {
        description: those.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join('\n'),
        content: { 'application/json': { schema: FAILURE } },
      },
    ]),
  );
}

/** All schemas in one go: each by itself would convert all that have a name again. */
function convert(): { readonly schemaOf: SchemaOf; readonly components: Json } {
  const names = new Map<v.GenericSchema, string>(Object.entries(COMPONENTS).map(([name, schema]) => [schema, name]));
  const unnamed = ROUTES.flatMap(({ query, body, answers }) => [
    ...(query === undefined ? [] : [query]),
    ...(typeof body === 'object' ? [body.schema] : []),
    ...Object.values(answers).filter((answer) => typeof answer !== 'string'),
  ]);
  const keys = new Map(unnamed.filter((schema) => !names.has(schema)).map((schema, at) => [schema, `#${at}`]));
  const inline = Object.fromEntries([...keys].map(([schema, key]) => [key, schema]));
  const converted: Readonly<Record<string, object>> = toJsonSchemaDefs({ ...COMPONENTS, ...inline }, CONVERSION);
  const components = Object.fromEntries([...names.values()].map((name) => [name, converted[name]]));
  return {
    components: { ...components, ...NUMBERS },
    schemaOf: (schema) => {
      const name = names.get(schema);
      return name === undefined ? (converted[keys.get(schema) ?? ''] as object) : { $ref: refOf(name) };
    },
  };
}
