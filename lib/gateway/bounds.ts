// The bounds of the gateway that are no message limits: how long a peer may take, how much may wait for it, and what it may leave with
// the runtime.

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
/** Errors above that; a peer that does not read them either is given up. */
export const MAX_UNSENT_ERROR_BYTES = 4 * MiB;
/** Encoded bytes of all functions that one remote has registered. */
export const MAX_REGISTERED_BYTES = 16 * MiB;
/** Calls that a session had made when it went, and that are told `invocation_stopped` when it reattaches. */
export const MAX_ORPHANS = 256;
/** Of their ids, together: room for all of them where ids are UUIDs. */
export const MAX_ORPHAN_CHARS = 64 * KiB;
/** 55 by its standard; a longer one is dropped. */
export const MAX_TRACEPARENT_CHARS = 256;
/** Encoded metadata of a call; it is parsed on the main thread. */
export const MAX_METADATA_BYTES = 64 * KiB;
/** What a session whose line is full is told to wait. */
export const BUSY_RETRY_MS = 100;
/** Lines in the log about what one socket does wrong; the rest is counted and told at its end. */
export const MAX_COMPLAINTS = 16;
/** From the close frame to the end of a socket whose peer does not answer it. */
export const CLOSE_GRACE_MS = 2_000;
/** How often it is looked at how much of unfinished frames all sockets hold. */
export const INTAKE_CHECK_MS = 250;
/** Between two lines in the log about peers that were not let in. */
export const REFUSAL_LOG_MS = 1_000;
