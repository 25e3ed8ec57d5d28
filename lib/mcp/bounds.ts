// Bounds of what is between the runtime and MCP servers, beside those of limits.ts.

/** Pages of one `tools/list`: a server whose cursor never ends is not read for ever. */
export const MAX_PAGES = 64;
/** Characters of the name of a tool within the id of its function. */
export const MAX_TOOL_NAME_CHARS = 96;
/** Characters of the suffix of a name that had to be changed. */
export const TOOL_HASH_CHARS = 8;
/** Entries of the arguments, and of the variables, of a process; characters of each text in the settings. */
export const MAX_ENTRIES = 256;
export const MAX_TEXT_CHARS = 8_192;
/** What a caller is told to wait while there is no connection. */
export const BUSY_RETRY_MS = 1_000;
/** The longest wait that a timer of Node has. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
/** How long a server may think about whether it speaks the newer protocol before it is taken for one that does not. */
export const PROBE_TIMEOUT_MS = 3_000;
/** Changes of the tools within this time are told as one. */
export const CHANGES_MS = 300;
/** How long a server may take to say that it is still there. */
export const CHECK_TIMEOUT_MS = 5_000;
/** First and longest pause before a connection is made again; it doubles in between, and a random part of up to a half is left off. */
export const FIRST_PAUSE_MS = 100;
export const MAX_PAUSE_MS = 30_000;
/** First and longest pause before the stream of what a server says by itself is opened again, whatever the server asks for. */
export const FIRST_STREAM_PAUSE_MS = 1_000;
export const MAX_STREAM_PAUSE_MS = 60_000;
/** Streams of one connection that are asked for again after they broke off: those of calls that have timed out are never given up otherwise. */
export const MAX_RESUMED_STREAMS = 64;
/** After the end of a response: its last message may still be on its way through the library. */
export const ANSWER_SLACK_MS = 250;
/** How long the end of a session may take to say. */
export const GOODBYE_MS = 1_000;
/** Of the body of an answer that is an error. */
export const MAX_ERROR_BODY_BYTES = 64 * 1024;
/** Messages of calls under way, as a multiple of the largest message; more are refused. */
export const IN_FLIGHT_MESSAGES = 4;

// --- child processes ---

/** From the end of its input to SIGTERM, and from there to SIGKILL. */
export const INPUT_END_GRACE_MS = 1_000;
export const TERM_GRACE_MS = 2_000;
/** After the exit of a process: what it wrote last may still be in its pipes. */
export const EXIT_DRAIN_MS = 500;
/** Lines on stdout that are no messages, within one life of a process; one more ends it. */
export const MAX_GARBAGE_LINES = 1_000;

// --- the registry as tools ---

/** Characters of the name of a tool, of which some models take no more, and of the suffix of one that had to be changed. */
export const MAX_SERVED_NAME_CHARS = 64;
export const SERVED_HASH_CHARS = 10;
/** Tools of one page, and their bytes: the page ends with the tool that passes them. */
export const MAX_TOOL_PAGE_ITEMS = 100;
export const MAX_TOOL_PAGE_BYTES = 1024 * 1024;
/** Between two notifications of progress to the client of one call; what comes in between is left out. */
export const PROGRESS_MS = 100;
