// A document becomes operations. What is wrong with one of them costs that one; only what is wrong with all is an error.

import { createHash } from 'node:crypto';
import { isObject } from '../protocol/payload.ts';
import type { Unmapped } from '../sources/source.ts';
import type { DocumentReading, DocumentSettings, EncodedOperation, Operation, SecurityScheme } from './operation.ts';
import { descriptionOf, findOperations, labelOf, requireUsable, tagsOf } from './find-operations.ts';
import type { Found } from './find-operations.ts';
import { requestSchema, withDefinitions } from './formats.ts';
import { nameAll } from './names.ts';
import { readBody } from './read-body.ts';
import { allParameters, readParameters } from './read-parameters.ts';
import { readResponse } from './read-response.ts';
import { readSchemes, readSecurity, readServer } from './read-servers.ts';
import { MAX_NOTES, MAX_NOTE_CHARS } from './bounds.ts';
import { invalidSource } from './document.ts';
import type { SourceDocument } from './document.ts';
import { Unmappable } from './references.ts';
import type { Located, References } from './references.ts';
import { encode, shortened } from './encoding.ts';
import { Schemas } from './read-schema.ts';
import type { Direction, SchemaScope } from './read-schema.ts';
import { isSwagger, modernResponse, modernServers, modernize } from './swagger.ts';
import { memberOf, stringOf } from './values.ts';

/** HTTP gives a body of these no meaning, and servers refuse it. */
const BODILESS = new Set(['GET', 'HEAD']);

export function readOperations(
  main: SourceDocument,
  references: References,
  settings: DocumentSettings,
  maxOperations: number,
): DocumentReading {
  return new OperationReader(main, references, settings).read(maxOperations);
}

class OperationReader {
  readonly #main: SourceDocument;
  readonly #references: References;
  readonly #settings: DocumentSettings;
  readonly #isSwagger: boolean;
  readonly #schemas: Schemas;
  readonly #schemes: Map<string, SecurityScheme>;
  readonly #unmapped: Unmapped[] = [];

  constructor(main: SourceDocument, references: References, settings: DocumentSettings) {
    requireVersion(main.root);
    this.#main = main;
    this.#references = references;
    this.#settings = settings;
    this.#isSwagger = isSwagger(main.root);
    this.#schemas = new Schemas(
      references,
      this.#isSwagger || /^3\.0/.test(versionText(memberOf(main.root, 'openapi'))),
    );
    const described = this.#isSwagger
      ? memberOf(main.root, 'securityDefinitions')
      : memberOf(memberOf(main.root, 'components'), 'securitySchemes');
    this.#schemes = readSchemes({ value: described, document: main }, references);
  }

  read(maxOperations: number): DocumentReading {
    const found = findOperations(this.#main, this.#references, maxOperations, this.#unmapped);
    const names = nameAll(found);
    const operations: EncodedOperation[] = [];
    for (const [index, each] of found.entries()) {
      const label = labelOf(each);
      const notes = new Set<string>();
      try {
        const name = names[index] ?? null;
        if (name === null) throw new Unmappable('Another operation has the same name.');
        operations.push(this.#read(each, name, label, notes));
        const listed = [...notes].slice(0, MAX_NOTES).map((note) => note.slice(0, MAX_NOTE_CHARS));
        for (const reason of listed) this.#unmapped.push({ operation: label, reason, isServed: true });
      } catch (error) {
        if (!(error instanceof Unmappable)) throw error;
        this.#unmapped.push({ operation: label, reason: error.message.slice(0, MAX_NOTE_CHARS), isServed: false });
      }
    }
    const title = stringOf(memberOf(memberOf(this.#main.root, 'info'), 'title'));
    return {
      title: title === null ? null : shortened(title),
      operations,
      securitySchemes: Object.fromEntries(this.#schemes),
      unmapped: this.#unmapped,
    };
  }

  #read(found: Found, name: string, label: string, notes: Set<string>): EncodedOperation {
    const { method, operation, item } = found;
    requireUsable(found);
    // Some documents tell operations of one path apart like this.
    const path = found.path.split('#', 1)[0] as string;
    if (path !== found.path) notes.add('The fragment of its path is not sent.');
    const scope = (direction: Direction): SchemaScope => {
      return { direction, document: operation.document, uses: new Set(), notes, self: null };
    };
    const { parameters: given, body: givenBody } = this.#given(found, notes);
    const parameters = readParameters(given, path, this.#references, notes);
    const asked = scope('request');
    const hasBody = givenBody !== null && !BODILESS.has(method);
    if (givenBody !== null && !hasBody) notes.add(`Its body is left out: ${method} has none.`);
    const body = hasBody ? readBody(givenBody, this.#schemas, asked) : null;
    const requestFormat = withDefinitions(requestSchema(parameters, body, this.#schemas, asked), this.#schemas, asked);
    const answered = scope('response');
    const response = readResponse(
      memberOf(operation.value, 'responses'),
      (one) => (this.#isSwagger ? modernResponse(one, operation.value, this.#main.root) : one),
      this.#schemas,
      answered,
    );
    if (memberOf(operation.value, 'callbacks') !== undefined) notes.add('Its callbacks are not received.');
    const responseFormat =
      response.schema === undefined ? null : withDefinitions(response.schema, this.#schemas, answered);
    const read: Operation = {
      label,
      method,
      baseUrl: readServer(this.#servers(operation, item), this.#settings),
      path,
      parameters: parameters.map(({ sent }) => sent),
      body: body === null ? null : body.body,
      accepts: response.accepts,
      security: this.#security(operation, notes),
      isDeprecated: memberOf(operation.value, 'deprecated') === true,
      tags: tagsOf(operation),
    };
    const texts = { description: descriptionOf(found), operation: encode(read), requestFormat, responseFormat };
    return { name, ...texts, fingerprint: this.#fingerprint(read, texts) };
  }

  #given({ operation, item }: Found, notes: Set<string>): { parameters: readonly Located[]; body: Located | null } {
    const parameters = allParameters(item, operation);
    if (this.#isSwagger) return modernize(parameters, operation.value, this.#main.root, this.#references, notes);
    const body = memberOf(operation.value, 'requestBody');
    return { parameters, body: isObject(body) ? { value: body, document: operation.document } : null };
  }

  #servers(operation: Located, item: Located): Located[] {
    if (!this.#isSwagger) return [operation, item, { value: this.#main.root, document: this.#main }];
    const servers = modernServers(this.#main.root, operation.value, this.#settings.documentUrl);
    return [{ value: servers, document: this.#main }];
  }

  #security({ value }: Located, notes: Set<string>): string[][] {
    const own = memberOf(value, 'security');
    return readSecurity(own ?? memberOf(this.#main.root, 'security'), this.#schemes, notes);
  }

  /** What a scheme says is not in the operation, and matters to whoever calls it. */
  #fingerprint({ security }: Operation, texts: Omit<EncodedOperation, 'name' | 'fingerprint'>): string {
    const schemes = security.flat().map((scheme) => this.#schemes.get(scheme));
    return createHash('sha256')
      .update(JSON.stringify([texts, schemes]))
      .digest('base64url')
      .slice(0, 22);
  }
}

function requireVersion(root: unknown): void {
  const [swagger, openapi] = [memberOf(root, 'swagger'), memberOf(root, 'openapi')];
  const isKnown =
    swagger === undefined ? /^3\.[01](\.|$)/.test(versionText(openapi)) : /^2(\.0)?$/.test(versionText(swagger));
  if (isKnown) return;
  const isOther = swagger !== undefined || openapi !== undefined;
  throw invalidSource(
    isOther
      ? 'The document is of a version that is not supported: those are 2.0, 3.0 and 3.1.'
      : 'This is no OpenAPI document: it says neither `openapi` nor `swagger`.',
  );
}

/** Without quotes, YAML has a number here. */
function versionText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
