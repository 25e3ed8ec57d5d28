// The contract of sources: something that is read once, and again when it is told to, and becomes functions of one group. The manager
// (sources.ts) knows names, the registry and the store; a type knows how its source is read and how its functions are called.

import type { FunctionServer } from '../functions/function.ts';

export interface SourceFunction {
  /** Behind `SOURCE::`; the same for the same operation whenever the source is read. */
  readonly name: string;
  readonly description: string | null;
  /** JSON Schema, as a value or as an EncodedFormat. */
  readonly requestFormat: unknown;
  readonly responseFormat: unknown;
  /** Public. */
  readonly metadata?: unknown;
  readonly server: FunctionServer;
  /** Changes with anything that matters to its callers or to its server. */
  readonly fingerprint: string;
}

/** Something of the source that is not there as it says: an operation that is left out, or served without a part. */
export interface Unmapped {
  /** As the source calls it: `GET /pets/{id}`, the name of a tool. */
  readonly operation: string;
  /** For people; says nothing of where requests go. */
  readonly reason: string;
  /** Whether there is a function all the same. */
  readonly isServed: boolean;
}

export interface SourceReading {
  readonly functions: readonly SourceFunction[];
  readonly unmapped: readonly Unmapped[];
  /** Of the document or the server, for people. */
  readonly title: string | null;
}

export interface SourceHealth {
  readonly status: 'available' | 'connecting' | 'failed';
  /** The code of what went wrong last; null when nothing has since it is available. */
  readonly error: string | null;
}

/** What a source tells while it is open. */
export interface SourceEvents {
  /** What it is made of may have changed: it is to be read again. */
  changed(): void;
  healthChanged(health: SourceHealth): void;
}

export interface OpenSource {
  /** May be called again, to refresh. Rejects with what is wrong; functions that were made before go on. */
  read(signal: AbortSignal): Promise<SourceReading>;
  readonly health: SourceHealth;
  /** Ends what is open for it; calls under way are settled. */
  close(): Promise<void>;
}

/** What `POST /v1/sources` and the file say of a source, checked for what all types share. */
export interface SourceDefinition {
  /** Of the group; the first segment of its functions' ids. */
  readonly name: string;
  readonly type: string;
  /** Whether it comes from the file of the operator or from the Backend that embeds the runtime, and not from a request: only then may it start a process. */
  readonly isFromOperator: boolean;
  /** Patterns of the names of functions, as in SourceFunction. Default all. */
  readonly include?: readonly string[] | undefined;
  /** Default none. */
  readonly exclude?: readonly string[] | undefined;
  /** What the type alone knows; checked by it. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface SourceType {
  readonly type: string;
  /** Throws `invalid_request`, naming the key. Nothing is read yet, and no process started. */
  open(definition: SourceDefinition, events: SourceEvents): OpenSource;
}
