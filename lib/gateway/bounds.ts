// The bounds of the gateway that are no message limits: how long a peer may take, and how much may wait for it.

const KiB = 1024;
const MiB = 1024 * KiB;

/** From the upgrade to a session that is ready, an auth function included; the frames that arrive meanwhile wait. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How often a peer is pinged. */
export const PING_INTERVAL_MS = 20_000;
/** Pings in a row after which nothing at all had come: the socket is half-open. Found within 60 s. */
export const MAX_SILENT_PINGS = 2;
/** Bytes that wait to be written to one peer; above it calls of its functions are refused and results to it replaced by an error. */
export const MAX_UNSENT_BYTES = 64 * MiB;
/** Calls that a session had made when it went, and that are told `invocation_stopped` when it reattaches. */
export const MAX_ORPHANS = 256;
/** `traceparent` is 55 characters by its standard; `baggage` may have 8,192 bytes. Longer ones are dropped. */
export const MAX_TRACEPARENT_CHARS = 256;
export const MAX_BAGGAGE_CHARS = 8 * KiB;
/** Encoded metadata of a call; it is parsed on the main thread. */
export const MAX_METADATA_BYTES = 64 * KiB;
/** What a session whose line is full is told to wait. */
export const BUSY_RETRY_MS = 100;
/** From the close frame to the end of a socket whose peer does not answer it. */
export const CLOSE_GRACE_MS = 2_000;
/** How often it is looked at how much of unfinished frames all sockets hold. */
export const INTAKE_CHECK_MS = 250;
