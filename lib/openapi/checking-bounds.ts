// Bounds of checking large bodies in a thread. How long one may take is the time that its call has.

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
