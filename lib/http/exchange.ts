// One request and its answer, in the shape that everything here shares: the contract between what makes requests (functions over HTTP,
// operations of an OpenAPI source) and what sends them.

import type { Readable } from 'node:stream';
import type { Reach } from '../egress/egress.ts';

export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  readonly url: URL;
  readonly reach: Reach;
  /** Lower-case names; see headers.ts for what may be among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** A stream is sent once, so that its request is not repeated. */
  readonly body: string | Uint8Array | Readable | null;
  /** Of the request itself; its caller may have less. */
  readonly timeoutMs: number;
}

/** Whole and inflated, never above the limit. */
export interface HttpAnswer {
  readonly status: number;
  readonly statusText: string;
  /** Lower-case names; of a repeated header the values, joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** How many requests one function may have under way. Made once for each function. */
export interface HttpLine {
  inFlight: number;
}

/** What the caller of a function allows. */
export interface HttpWait {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpClient {
  /**
   * Rejects with `worker_busy` (the function, or the origin, has as many requests under way as it may), `timeout` (the caller's time),
   * `cancelled`, `url_validation_failed`, `http_request_failed` (connection, TLS, the request's own time), `http_response_failed` (cut
   * short, no HTTP), `invocation_failed_payload_too_large`, `runtime_overloaded` (what is held for all requests and answers), and
   * `invocation_stopped` or `runtime_unavailable` when the runtime ends.
   */
  exchange(line: HttpLine, request: HttpRequest, wait: HttpWait): Promise<HttpAnswer>;
  /** Gets a document with a bound of its own. Rejects as `exchange` does, and with `http_error` for every status but 2xx. */
  fetchDocument(url: string, maxBytes: number, wait: HttpWait): Promise<HttpAnswer>;
}
