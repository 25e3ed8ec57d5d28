// Bounds of the sources that no operator sets. How long one may be read is SOURCE_READ_TIMEOUT_MS, which the client knows too.

/** How long a source may take to end what is open for it; then it is left to itself. */
export const CLOSE_TIMEOUT_MS = 10_000;
/** Sources that are read at a time while the runtime starts. */
export const STARTS_AT_ONCE = 8;
/** How long the start of the runtime waits for its sources; what is not read by then is read while it runs. */
export const START_WAIT_MS = 5_000;
/** First and longest pause before a source is read again by itself; it doubles in between. */
export const FIRST_PAUSE_MS = 200;
export const MAX_PAUSE_MS = 60_000;
/** Dry runs that may be under way. */
export const MAX_PREVIEWS = 8;
/** Characters of encoded schemas that the answer to a dry run shows; it counts the others. */
export const PREVIEW_FORMAT_CHARS = 1_024 * 1_024;
/** Patterns of one list. */
export const MAX_PATTERNS = 256;
/** Operations that a source lists as unmapped; the rest is counted. */
export const MAX_UNMAPPED_SHOWN = 256;
/** Characters of a title, an operation, a reason, and a description in the answer to a dry run. */
export const MAX_TEXT_CHARS = 512;
