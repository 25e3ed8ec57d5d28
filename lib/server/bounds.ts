// The bounds of the HTTP edge that are no message limits: headers, connections, and how long a peer may take.
// None of them bounds how long a request waits for an outcome: that is `Prefer: wait`, at most MAX_WAIT_MS.

const KiB = 1024;

/** Request line and headers together; more is answered with 431. Node's default, made explicit. */
export const MAX_HEADER_BYTES = 16 * KiB;
/** Open connections; more are closed without an answer, so that accepting them cannot exhaust the process. */
export const MAX_CONNECTIONS = 10_000;
/**
 * From the connection, or the end of the request before, to the end of a request's headers. With TIMEOUT_CHECK_MS at most 10 s: that is
 * also what a peer has to finish its upgrade.
 */
export const HEADERS_TIMEOUT_MS = 8_000;
/** From the first byte of a request to the end of its body; 16 MiB need 140 KB/s. */
export const REQUEST_TIMEOUT_MS = 120_000;
/** The same for each line of a batch, from the end of the line before; and how long a client may leave its receipts unread. */
export const LINE_TIMEOUT_MS = 120_000;
/** How long a line of a batch waits for room unless `Prefer: wait` says otherwise. Well below the minute after which proxies give up. */
export const BATCH_WAIT_MS = 10_000;
/** What a line that names its worker may hold beside its input: the id and the key, each character of them escaped. */
export const MAX_ENVELOPE_BYTES = 4 * KiB;
/** Receipts of one batch that its client has not read yet; above it no further line is read. */
export const MAX_UNREAD_BYTES = 256 * KiB;
/** Receipts gathered before they are written in the middle of a turn. */
export const RECEIPT_CHUNK_CHARS = 16 * KiB;
/** Lines of a batch whose inputs a durable store does not have yet, and their bytes; above either no further line is read. */
export const MAX_UNKEPT_LINES = 8_192;
export const MAX_UNKEPT_BYTES = 8 * 1_024 * KiB;
/** Lines of a batch between two looks at the clock. */
export const LINES_PER_LOOK = 32;
/** Parts of answers from this size on are counted while they are unread; smaller ones are bounded by MAX_CONNECTIONS. */
export const UNREAD_ANSWER_BYTES = 16 * KiB;
/** How often both timeouts are looked at. */
export const TIMEOUT_CHECK_MS = 2_000;
/** How long a connection may idle between requests; above the 60 s at which common proxies give up first. */
export const KEEP_ALIVE_MS = 72_000;
/** From the close of the server to the end of connections that are still busy. */
export const CLOSE_GRACE_MS = 5_000;
/** After an early refusal: how long the rest of a body is thrown away, so that the client gets to read the answer. */
export const LINGER_MS = 2_000;
/** A refused body up to this size is thrown away in passing and its connection lives on. */
export const DRAIN_BYTES = 64 * KiB;
/** While the runtime is being started: what a caller is told to wait. */
export const EARLY_RETRY_MS = 1_000;
/** When bodies that are being read fill the runtime's bound: what the caller is told to wait. */
export const OVERLOAD_RETRY_MS = 1_000;
/** Calls that were made with `Prefer: respond-async` and have not ended; more are refused. */
export const MAX_ASYNC_CALLS = 1_024;
