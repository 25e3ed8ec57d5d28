// Bounds of OpenAPI sources: what the operator's limits (bytes, operations) do not say. A document may come from anybody.

// --- reading a document ---

/** From when the thread begins a document, with all that it refers to; then the thread is killed. GitHub's 13 MB take about two seconds. */
export const READING_DEADLINE_MS = 60_000;
/** How long a document may wait for the thread. */
export const READING_WAIT_MS = 5 * 60_000;
/** Characters of documents that wait for the thread, all together; one more is refused with `worker_busy`. */
export const MAX_WAITING_CHARS = 256 * 1_024 * 1_024;
/** The same in number. */
export const MAX_WAITING_DOCUMENTS = 1_024;
/** How long the thread stays when it has nothing to read. */
export const THREAD_IDLE_MS = 5_000;
/** What the thread may keep, in MiB: a document of 32 MiB as objects, and what becomes of it. */
export const THREAD_MEMORY_MIB = 1_024;
/** Levels of objects and lists. The deepest real documents have about 40. */
export const MAX_DEPTH = 128;
/** Values of all documents together, those behind YAML's aliases counted each time. GitHub's has 260,000. */
export const MAX_NODES = 4_000_000;
/** How often one anchor of YAML may be used, with the anchors in it multiplied. */
export const MAX_ALIASES = 1_000;
/** Documents that one document may refer to, directly and indirectly. */
export const MAX_REFERENCED_DOCUMENTS = 64;
/** References that lead to references. */
export const MAX_HOPS = 32;
/** Schemas that one form may be put together from. */
export const MAX_FORM_SCHEMAS = 128;
/** References within the path of a pointer, within one another. */
export const MAX_DETOURS = 3;
/** Schemas that are looked at to see whether one that applies in the same place leads back to where it started. */
export const MAX_CYCLE_SEARCH = 500;
/** Characters of one operation's request schema; what is further from its root is left open. */
export const MAX_REQUEST_FORMAT_CHARS = 64 * 1_024;
/** The same of its response schema, which nobody is checked against. */
export const MAX_RESPONSE_FORMAT_CHARS = 64 * 1_024;
/** How often the bytes of the largest document its operations may come to. */
export const MAX_GROWTH_FACTOR = 4;
/** Characters that cross from the thread in one go: about a millisecond of the main loop. */
export const BATCH_CHARS = 256 * 1_024;
/** Of the name of an operation. */
export const MAX_NAME_CHARS = 64;
/** Of the name of a parameter, a property of a form, a scheme. */
export const MAX_KEY_CHARS = 256;
/** Of a path's template. */
export const MAX_PATH_CHARS = 2_048;
/** Parameters of one operation. */
export const MAX_PARAMETERS = 256;
/** Of the text about an operation. */
export const MAX_DESCRIPTION_CHARS = 1_024;
/** Of the text about one schema. */
export const MAX_SCHEMA_TEXT_CHARS = 512;
/** Of a `default`; a longer one says more than it helps. */
export const MAX_DEFAULT_CHARS = 1_024;
/** Things that are listed as unmapped for one operation. */
export const MAX_NOTES = 20;
/** Characters of each. */
export const MAX_NOTE_CHARS = 200;
/** Characters of a document that is searched for what is wrong with it; the validator takes long for large ones. */
export const MAX_VALIDATED_CHARS = 1_024 * 1_024;
/** Issues of one refused document, and of one refused payload. */
export const MAX_ISSUES = 20;
/** Alternatives of media types, security, tags that are kept of one operation. */
export const MAX_ALTERNATIVES = 16;
/** Servers of one document whose addresses are looked up. */
export const MAX_ORIGINS = 64;
/** Operations that are looked at before the loop has a turn: about a millisecond. */
export const OPERATIONS_PER_TURN = 32;
/** Of a pattern that is tried on texts. */
export const MAX_PATTERN_CHARS = 2_048;
/** Steps that one try may take at the worst; about 10 ms. */
export const MAX_PATTERN_STEPS = 10_000_000;

// --- checking large bodies in a thread; how long one may take is the time that its call has ---

/** Steps of one validation; one is up to a microsecond. The largest list of numbers in a message of 16 MiB takes 8.4 million. */
export const MAX_CHECKING_STEPS = 10_000_000;
/** Bodies that wait for the thread, and the one in it; one more is refused with `worker_busy`. */
export const MAX_CHECKS = 256;
/** Their bytes together: more than the thread gets through in the time of a call. */
export const MAX_CHECKS_BYTES = 128 * 1_024 * 1_024;
/** How long the thread stays when there is nothing to check. */
export const CHECKING_IDLE_MS = 30_000;
/** What the thread may keep, in MiB: 16 MiB of empty objects take half of it. */
export const CHECKING_MEMORY_MIB = 1_024;
/** Schemas that the thread keeps ready to be used, of at most 64 Ki characters each. */
export const MAX_READY_SCHEMAS = 32;
/** Bytes of a body that are copied for it between two turns of the loop: less than a millisecond. */
export const PIECE_BYTES = 1_024 * 1_024;
/** When somebody who was refused for what waits may try again. */
export const BUSY_RETRY_MS = 1_000;

// --- calls ---

/** Steps of one check on the main thread. One step is one schema at one value: up to a microsecond. */
export const MAX_STEPS = 100_000;
/** Of what is told of one mistake in a payload; MAX_ISSUES of them are. */
export const MAX_MESSAGE_CHARS = 300;
/** Lists longer than this are not compared item by item. */
export const MAX_UNIQUE_ITEMS = 1_000;
/** Of the name of a property that patterns are tried on. */
export const MAX_TRIED_NAME_CHARS = 256;
/** Operations that are kept parsed, of all sources, and characters of their texts; as objects they take about ten times as much. */
export const MAX_PREPARED_OPERATIONS = 256;
export const MAX_PREPARED_CHARS = 4 * 1_024 * 1_024;
/** How often the bytes of the largest message a body may have when it is written: percent-encoded, with a head for each part. */
export const MAX_BODY_GROWTH = 4;
