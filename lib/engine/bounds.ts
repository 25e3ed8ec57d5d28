// The bounds of the runtime's own functions and of triggers: how much of them there may be, and how long an answer may take.

const KiB = 1024;
const MiB = 1024 * KiB;

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
/** Lines that one remote may write in a second; more are dropped, and how many is told with its next line. */
export const LOG_LINES_PER_SECOND = 100;
/** Functions that one `engine::functions::info` may ask for. */
export const FUNCTIONS_PER_INFO = 32;
/** Characters of a trigger's config in its summary. */
export const CONFIG_SUMMARY_CHARS = 80;
/** W3C allows `baggage` 8,192 bytes; a longer one is dropped. */
export const MAX_BAGGAGE_CHARS = 8 * KiB;
