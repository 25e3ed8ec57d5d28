// An OpenAPI document of any number of operations and about any size, made like those of large services: parameters that many operations
// share, bodies and answers that refer to schemas which refer to others, long descriptions, examples.

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const SCHEMAS_PER_OPERATION = 0.5;
const PROPERTIES = 12;
const SENTENCE = 'What it means, who may set it, and what becomes of it when the resource is archived. ';

/** Of exactly so many operations; descriptions are as long as it takes to come near the size. */
export function bigDocument(operations: number, bytes: number): string {
  const bare = JSON.stringify(documentOf(operations, 0));
  const descriptions = operations * (1 + SCHEMAS_PER_OPERATION * PROPERTIES);
  const sentences = Math.max(1, Math.round((bytes - bare.length) / descriptions / SENTENCE.length));
  return JSON.stringify(documentOf(operations, sentences));
}

function documentOf(operations: number, sentences: number): object {
  const description = SENTENCE.repeat(sentences);
  const schemas = Math.ceil(operations * SCHEMAS_PER_OPERATION);
  const paths: Record<string, Record<string, object>> = {};
  for (let index = 0; index < operations; index++) {
    const path = `/resources${Math.floor(index / METHODS.length)}/{id}`;
    const method = METHODS[index % METHODS.length] as string;
    (paths[path] ??= {})[method] = operationOf(index, method, index % schemas, description);
  }
  return {
    openapi: '3.0.3',
    info: { title: 'A large service', version: '1.0.0' },
    servers: [{ url: 'http://127.0.0.1' }],
    paths,
    components: {
      parameters: { page: { name: 'page', in: 'query', schema: { type: 'integer', minimum: 1 } } },
      schemas: Object.fromEntries(
        Array.from({ length: schemas }, (_, index) => [`Schema${index}`, schemaOf(index, schemas, description)]),
      ),
    },
  };
}

function operationOf(index: number, method: string, schema: number, description: string): object {
  const content = { 'application/json': { schema: { $ref: `#/components/schemas/Schema${schema}` } } };
  return {
    operationId: `operation${index}`,
    summary: `Operation ${index}`,
    description,
    parameters: [
      { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
      { $ref: '#/components/parameters/page' },
      { name: 'tags', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
    ],
    ...(method !== 'get' && method !== 'delete' && { requestBody: { required: true, content } }),
    responses: { 200: { description: 'Done', content } },
  };
}

/** Each refers to two that come later, as resources hold others. */
function schemaOf(index: number, schemas: number, description: string): object {
  const properties: Record<string, object> = {};
  for (let at = 0; at < PROPERTIES; at++)
    properties[`property_${at}`] = { type: 'string', nullable: true, description, example: `example ${at}` };
  for (const step of [1, 2])
    if ((index % 4) + step < 4 && index + step < schemas)
      properties[`nested_${step}`] = { $ref: `#/components/schemas/Schema${index + step}` };
  return { type: 'object', required: ['property_0'], properties };
}
