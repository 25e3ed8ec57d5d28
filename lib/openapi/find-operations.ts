// The operations of a document, before anything of them is read: where they are, and what they say of themselves.

import { isObject } from '../protocol/payload.ts';
import type { Unmapped } from '../sources/source.ts';
import { MAX_ALTERNATIVES, MAX_DESCRIPTION_CHARS, MAX_NOTE_CHARS, MAX_PATH_CHARS } from './bounds.ts';
import { invalidSource } from './document.ts';
import type { SourceDocument } from './document.ts';
import { shortened } from './encoding.ts';
import { Unmappable } from './references.ts';
import type { Located, References } from './references.ts';
import { memberOf, membersOf, stringOf, stringsOf } from './values.ts';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

export interface Found {
  readonly method: string;
  readonly path: string;
  readonly operationId: string | null;
  readonly item: Located;
  readonly operation: Located;
}

/** Those of all paths, in the order of the document; paths that lead nowhere are listed. Throws `invalid_source`. */
export function findOperations(
  main: SourceDocument,
  references: References,
  maxOperations: number,
  unmapped: Unmapped[],
): Found[] {
  const found: Found[] = [];
  for (const [path, entry] of Object.entries(membersOf(memberOf(main.root, 'paths')))) {
    if (path.startsWith('x-')) continue;
    const item = itemOf(path, entry, main, references, unmapped);
    if (item === null) continue;
    for (const method of METHODS) {
      const operation = memberOf(item.value, method);
      if (operation === undefined) continue;
      if (found.length === maxOperations) {
        throw invalidSource(`The document has more than ${maxOperations} operations.`);
      }
      found.push({
        method: method.toUpperCase(),
        path,
        operationId: stringOf(memberOf(operation, 'operationId')),
        item,
        operation: { value: operation, document: item.document },
      });
    }
  }
  return found;
}

function itemOf(
  path: string,
  entry: unknown,
  main: SourceDocument,
  references: References,
  unmapped: Unmapped[],
): Located | null {
  try {
    const item = references.follow(entry, main);
    if (!isObject(item.value)) throw new Unmappable('It is not an object.');
    // Beside a reference there may be methods too.
    return { value: isObject(entry) ? { ...item.value, ...entry } : item.value, document: item.document };
  } catch (error) {
    if (!(error instanceof Unmappable)) throw error;
    unmapped.push({ operation: path.slice(0, MAX_NOTE_CHARS), reason: error.message, isServed: false });
    return null;
  }
}

/** Throws Unmappable. */
export function requireUsable({ method, path, operation }: Found): void {
  if (!isObject(operation.value)) throw new Unmappable('It is not an object.');
  if (method === 'TRACE') throw new Unmappable('TRACE is not sent.');
  if (!path.startsWith('/')) throw new Unmappable('Its path does not begin with a slash.');
  if (path.includes('?')) throw new Unmappable('Its path has a query in it.');
  if (path.length > MAX_PATH_CHARS) throw new Unmappable('Its path is too long.');
}

export function labelOf({ method, path }: Found): string {
  return `${method} ${path}`.slice(0, MAX_NOTE_CHARS);
}

export function descriptionOf({ operation }: Found): string | null {
  const texts = [stringOf(memberOf(operation.value, 'summary')), stringOf(memberOf(operation.value, 'description'))];
  const told = [...new Set(texts)].filter((text) => text !== null && text !== '');
  return told.length === 0 ? null : shortened(told.join('\n\n'), MAX_DESCRIPTION_CHARS);
}

export function tagsOf({ value }: Located): string[] {
  return stringsOf(memberOf(value, 'tags')).slice(0, MAX_ALTERNATIVES);
}
