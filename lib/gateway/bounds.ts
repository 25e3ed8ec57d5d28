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
/** `traceparent` is 55 characters by its standard; `baggage` may have 8,192 bytes. Longer ones are dropped. */
export const MAX_TRACEPARENT_CHARS = 256;
export const MAX_BAGGAGE_CHARS = 8 * KiB;
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

// --- triggers ---

/** Trigger types and triggers of one session; those of `engine::register_trigger` together count like those of one session. */
export const TRIGGERS_PER_REMOTE = 1_024;
/** The same of all sessions together. */
export const MAX_TRIGGERS = 65_536;
/** Encoded bytes of the trigger types and triggers of one session, and of all. */
export const TRIGGER_BYTES_PER_REMOTE = 4 * MiB;
export const MAX_TRIGGER_BYTES = 64 * MiB;
/** How long `engine::register_trigger` waits for the provider's answer before it accepts without one. */
export const TRIGGER_ACK_TIMEOUT_MS = 10_000;

// --- events of the runtime ---

/** From a change of the functions to the event that tells it: changes come in bursts, when a remote connects. */
export const FUNCTIONS_CHANGED_DELAY_MS = 100;
/** Calls that tell events, at a time; one for each trigger. */
export const EVENTS_IN_FLIGHT = 64;
/** Events that wait for one trigger, and for all; above that the oldest of the trigger is dropped, and counted. */
export const EVENTS_PER_TRIGGER = 256;
export const MAX_EVENTS = 65_536;

// --- the runtime's own functions ---

/** Encoded bytes of a call of one of the runtime's own functions: parsed where every other call has to wait. */
export const MAX_ENGINE_PAYLOAD_BYTES = 256 * KiB;
/** Characters that are kept of what a peer says of itself: its name, its description, what it runs on. */
export const MAX_LABEL_CHARS = 280;
/** Characters that are kept of a peer's log message, and of the data beside it. */
export const MAX_LOG_CHARS = 2_048;
/** Functions that one `engine::functions::info` may ask for. */
export const FUNCTIONS_PER_INFO = 32;
/** Characters of a trigger's config in its summary. */
export const CONFIG_SUMMARY_CHARS = 80;
