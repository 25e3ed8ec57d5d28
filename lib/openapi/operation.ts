// One operation of a document, in the form in which it crosses from the thread that reads documents to the runtime: the contract between
// what reads (document → operations) and what calls (operation and payload → request). Plain JSON, so that it can be kept encoded.

import type { PackedText } from '../protocol/packed.ts';
import type { Unmapped } from '../sources/source.ts';

/** Where parameters are, in the order in which they are listed. */
export const PLACES = ['path', 'query', 'header', 'cookie'] as const;
export type ParameterPlace = (typeof PLACES)[number];
export type ParameterStyle = 'simple' | 'label' | 'matrix' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject';

export interface Parameter {
  readonly name: string;
  readonly in: ParameterPlace;
  readonly required: boolean;
  readonly style: ParameterStyle;
  readonly explode: boolean;
  readonly allowReserved: boolean;
  /** Media type of a parameter with `content`, which is sent as that; null: by its style. */
  readonly contentType: string | null;
}

/** How one property of a form is sent, where the document says it. */
export interface PartEncoding {
  /** Never a range. */
  readonly contentType?: string;
  readonly style?: ParameterStyle;
  readonly explode?: boolean;
  readonly allowReserved?: boolean;
}

export interface OperationBody {
  readonly required: boolean;
  /** The media type that is sent, the best of those that the document has: JSON, multipart, form, text, then others. Never a range. */
  readonly contentType: string;
  readonly kind: 'json' | 'form' | 'multipart' | 'text' | 'binary';
  /** Of a form, by property. */
  readonly encoding: Readonly<Record<string, PartEncoding>>;
  /** Properties of a multipart body that are files: given as a ChannelRef to read from, or as {base64, filename?, content_type?}. */
  readonly files: readonly string[];
}

export type SecurityScheme =
  | { readonly type: 'apiKey'; readonly in: 'header' | 'query' | 'cookie'; readonly name: string }
  | { readonly type: 'basic' }
  /** HTTP bearer, OAuth 2 and OpenID Connect: a token that somebody else has got. */
  | { readonly type: 'bearer' };

export interface Operation {
  /** `GET /pets/{id}`, for people and for what is listed as unmapped. */
  readonly label: string;
  /** Upper case. */
  readonly method: string;
  /** Absolute, without a slash at its end: the server, its variables filled in. */
  readonly baseUrl: string;
  /** The template, `/pets/{id}`: it begins with a slash, and has neither a query nor a fragment. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: OperationBody | null;
  /** Media types of what it may answer, for the Accept header. */
  readonly accepts: readonly string[];
  /** Alternatives; each is the names of schemes that are needed together. Empty: no security. An empty alternative: optional. */
  readonly security: readonly (readonly string[])[];
  readonly isDeprecated: boolean;
  readonly tags: readonly string[];
}

/** What a document becomes. Operations and schemas are JSON texts: the thread has encoded and packed them, and they are kept like that. */
export interface DocumentReading {
  readonly title: string | null;
  readonly operations: readonly EncodedOperation[];
  /** By name, of the whole document. */
  readonly securitySchemes: Readonly<Record<string, SecurityScheme>>;
  readonly unmapped: readonly Unmapped[];
}

export interface EncodedOperation {
  /** Behind `SOURCE::`. */
  readonly name: string;
  readonly description: string | null;
  /** An Operation. */
  readonly operation: string;
  /** JSON Schema 2020-12 of `{path?, query?, header?, cookie?, body?}`. */
  readonly requestFormat: PackedText;
  /** Null when the document says nothing of the answer. */
  readonly responseFormat: PackedText | null;
  /** Changes with any of the above. */
  readonly fingerprint: string;
}

export interface DocumentSettings {
  /** Where the document came from: relative servers and references start there. Null: it was given as it is. */
  readonly documentUrl: string | null;
  /** Stands for every server of the document. */
  readonly baseUrl: string | null;
  readonly serverVariables: Readonly<Record<string, string>>;
}

/**
 * The reader's one function, `readDocument(text, settings, parts)` in reading.ts. `fetchDocument` brings what the document refers to, through
 * the guard. Rejects with `invalid_source`, `timeout`, `cancelled`, or with what `fetchDocument` rejects with.
 */
export type ReadDocument = (
  text: string,
  settings: DocumentSettings,
  parts: {
    readonly maxBytes: number;
    readonly maxOperations: number;
    readonly signal: AbortSignal;
    fetchDocument(url: string, maxBytes: number): Promise<string>;
  },
) => Promise<DocumentReading>;
