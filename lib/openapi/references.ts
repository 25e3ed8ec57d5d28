// Where `$ref` leads: into the document, or into one of those that were fetched for it before the reading began. Nothing is fetched here,
// and a file is never read. What cannot be followed is a reason for people, not an error.

import { absoluteUrl } from './addresses.ts';
import { MAX_DEPTH, MAX_DETOURS, MAX_HOPS } from './bounds.ts';
import type { SourceDocument } from './document.ts';
import { memberOf, stringOf } from './values.ts';

/** A value, and the document whose references it may contain. */
export interface Located {
  readonly value: unknown;
  readonly document: SourceDocument;
}

export interface Target extends Located {
  /** One spelling for each place, however it was referred to. */
  readonly key: string;
  readonly segments: readonly string[];
}

/** The operation, or a part of it, that cannot be served as the document says. */
export class Unmappable extends Error {}

export class References {
  readonly #root: SourceDocument;
  /** By URL: the document, or why it is not there. */
  readonly #fetched: ReadonlyMap<string, SourceDocument | string>;

  constructor(root: SourceDocument, fetched: ReadonlyMap<string, SourceDocument | string>) {
    this.#root = root;
    this.#fetched = fetched;
  }

  /** What a reference in a document means, without following further references. Throws Unmappable. */
  locate(reference: string, from: SourceDocument): Target {
    return this.#walk(reference, from, MAX_DETOURS);
  }

  /** The value, or what it refers to in the end. Throws Unmappable. */
  follow(value: unknown, from: SourceDocument): Located {
    let at: Located = { value, document: from };
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      const reference = referenceOf(at.value);
      if (reference === null) return at;
      at = this.locate(reference, at.document);
    }
    throw new Unmappable('A reference leads back to itself.');
  }

  #walk(reference: string, from: SourceDocument, detours: number): Target {
    const [address = '', ...fragment] = reference.split('#');
    const document = this.#document(address, from);
    const segments = segmentsOf(fragment.join('#'));
    let at: Located = { value: document.root, document };
    for (const segment of segments) at = this.#step(at, segment, detours);
    const place = segments.map((segment) => segment.replace(/~/g, '~0').replace(/\//g, '~1')).join('/');
    return { ...at, key: `${document.url ?? ''}#/${place}`, segments };
  }

  #document(address: string, from: SourceDocument): SourceDocument {
    if (address === '') return from;
    const url = absoluteUrl(address, from.url);
    if (url === null) throw new Unmappable('It refers to a file, which is never read.');
    if (url === this.#root.url) return this.#root;
    const found = this.#fetched.get(url);
    if (found === undefined || typeof found === 'string') {
      throw new Unmappable(`It refers to a document that cannot be read${found === undefined ? '' : `: ${found}`}.`);
    }
    return found;
  }

  /** One segment of a pointer; on its way it may meet a reference. */
  #step(at: Located, segment: string, detours: number): Located {
    if (Array.isArray(at.value) && /^(0|[1-9]\d{0,8})$/.test(segment) && Number(segment) < at.value.length) {
      return { value: (at.value as unknown[])[Number(segment)], document: at.document };
    }
    const value = memberOf(at.value, segment);
    if (value !== undefined) return { value, document: at.document };
    const reference = referenceOf(at.value);
    if (reference === null || detours === 0) throw new Unmappable('A reference leads nowhere.');
    return this.#step(this.#walk(reference, at.document, detours - 1), segment, detours - 1);
  }
}

/** Of a fragment: `/a~1b/%7Bid%7D`. Throws Unmappable for one that is no JSON pointer. */
function segmentsOf(fragment: string): string[] {
  if (fragment === '' || fragment === '/') return [];
  if (!fragment.startsWith('/')) throw new Unmappable('A reference is no JSON pointer.');
  const segments = fragment.slice(1).split('/');
  if (segments.length > MAX_DEPTH) throw new Unmappable('A reference leads nowhere.');
  return segments.map((segment) => decoded(segment).replace(/~1/g, '/').replace(/~0/g, '~'));
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Not percent-encoded: a name with a bare percent sign.
    return segment;
  }
}

/** Whether a value is a reference; schemas keep theirs. */
export function referenceOf(value: unknown): string | null {
  return stringOf(memberOf(value, '$ref'));
}
