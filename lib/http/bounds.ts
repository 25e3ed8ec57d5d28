// The bounds of requests over HTTP that are no limits of an operator: what a definition may hold, and how a failed connection is tried again.

const KiB = 1024;

/** Characters of the URL of a function. */
export const MAX_URL_CHARS = 8 * KiB;
/** Headers that a definition may add. */
export const MAX_HEADERS = 64;
/** Their names and values together, in bytes. */
export const MAX_HEADERS_BYTES = 8 * KiB;
/** How long a request may take unless its definition says otherwise. */
export const DEFAULT_TIMEOUT_MS = 30_000;
/** How often a request is sent, if its method allows it, and the connection failed before. */
export const MAX_ATTEMPTS = 3;
/** Before the second attempt, and twice that before the third; up to half of it is left out, so that callers do not come back together. */
export const RETRY_BACKOFF_MS = 50;
/** What a caller is told to wait when a function, or an origin, has as many requests under way as it may. */
export const BUSY_RETRY_MS = 100;
/** Characters of the status line that an error shows. */
export const MAX_STATUS_TEXT_CHARS = 128;
/** Functions of the store that are registered at a time while the runtime starts. */
export const RESTORES_AT_ONCE = 16;
/** How long the start of the runtime waits for them; what is not registered by then is registered while it runs. */
export const RESTORE_WAIT_MS = 5_000;
