// A function that the runtime calls over HTTP, as it is written: over REST, in the file, and by whoever embeds a runtime. Types only.

export interface HttpFunctionDocument {
  /** Where it is called; see `http` of the configuration for what may be reached. At most 8,192 characters. */
  readonly url: string;
  /** Default POST. The payload is the body whichever it is. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | null | undefined;
  /** Of one request, with its repetitions; its caller may have less. 1 to a day. Default 30,000. */
  readonly timeout_ms?: number | null | undefined;
  /** In place of those of the runtime, or beside them. At most 64, and 8 KiB. Default none. */
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
  /** How the runtime proves who asks. Default: it does not. */
  readonly auth?: HttpAuth | null | undefined;
  /** For people. Default none. */
  readonly description?: string | null | undefined;
  /** JSON Schema of the payload, for whoever lists functions; calls are not checked against it. Default none. */
  readonly request_format?: unknown;
  /** The same of the answer. */
  readonly response_format?: unknown;
  /** Public. `internal: true` hides the function from listings. Default none. */
  readonly metadata?: unknown;
  /** The worker that it is listed under: an id that no other worker has. Default `http`. */
  readonly group?: string | null | undefined;
}

/** The names of environment variables of the runtime, which `http.variables` allows; never what they hold. */
export type HttpAuth =
  /** `Authorization: Bearer VALUE` */
  | { readonly type: 'bearer'; readonly token_key: string }
  | { readonly type: 'api_key'; readonly header: string; readonly value_key: string }
  /** `x-iii-signature: sha256=HEX`, the HMAC-SHA256 of `TIMESTAMP:BASE64_OF_BODY`, and that timestamp in `x-iii-timestamp`. */
  | { readonly type: 'hmac'; readonly secret_key: string };
