// What a remote keeps while it has no socket. The SDK's own queue has no bound, and holds on to calls that nobody waits for any more.

/** Calls that wait for a connection; further ones are refused with `runtime_unavailable`. */
export const MAX_QUEUED_CALLS = 1_024;
/** Their encoded bytes; a single larger one still waits alone. */
export const MAX_QUEUED_BYTES = 64 * 1_024 * 1_024;
