// What an operation answers when it succeeds: the schema of the best response, and the media types to ask for.

import { bestMedia, isJson, isMediaType } from './media-types.ts';
import { MAX_ALTERNATIVES } from './bounds.ts';
import { Unmappable } from './references.ts';
import type { Located } from './references.ts';
import type { Schemas, SchemaScope } from './read-schema.ts';
import { memberOf, membersOf } from './values.ts';

export interface ReadResponse {
  readonly accepts: readonly string[];
  /** Translated; undefined when the document says nothing of it, or it is neither JSON nor text. */
  readonly schema: unknown;
}

/**
 * The first of 200, 201, … , `2XX`, `default` that has content.
 * @param modern puts a response into the words of 3.x
 */
export function readResponse(
  responses: unknown,
  modern: (response: Located) => Located,
  schemas: Schemas,
  scope: SchemaScope,
): ReadResponse {
  const accepts = new Set<string>();
  let schema: unknown;
  for (const code of codesOf(responses)) {
    const content = contentOf(memberOf(responses, code), modern, schemas, scope);
    if (content === null) continue;
    for (const type of Object.keys(membersOf(content.value))) if (isMediaType(type)) accepts.add(type);
    const choice = bestMedia(membersOf(content.value));
    if (choice === null || schema !== undefined) continue;
    if (choice.kind === 'text') schema = { type: 'string' };
    const found = memberOf(choice.media, 'schema');
    if (choice.kind === 'json' && found !== undefined) {
      schema = schemas.translate(found, { ...scope, document: content.document });
    }
    if (code === 'default') break;
  }
  const ordered = [...accepts].sort((one, other) => Number(isJson(other)) - Number(isJson(one)));
  return { accepts: ordered.slice(0, MAX_ALTERNATIVES), schema };
}

/** Of success; `default` stands for it where nothing else does. */
function codesOf(responses: unknown): string[] {
  const codes = Object.keys(membersOf(responses));
  const success = codes.filter((code) => /^2(\d\d|XX)$/i.test(code)).sort();
  return success.length > 0 ? success : codes.filter((code) => code === 'default');
}

function contentOf(
  response: unknown,
  modern: (response: Located) => Located,
  schemas: Schemas,
  scope: SchemaScope,
): Located | null {
  try {
    const found = modern(schemas.resolve(response, scope.document));
    return { value: memberOf(found.value, 'content'), document: found.document };
  } catch (error) {
    if (!(error instanceof Unmappable)) throw error;
    scope.notes.add(`What it answers is not described. ${error.message}`);
    return null;
  }
}
