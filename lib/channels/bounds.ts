// The bounds of channels that are neither limits for operators nor part of the contract.

const KiB = 1024;

/** Bytes written to a channel as a stream are cut into messages of this size, as the SDK does: a longer one waits for its last byte. */
export const FRAME_BYTES = 64 * KiB;
/** What one call carries between a thread and the channels; one message may exceed it. */
export const PACK_BYTES = 256 * KiB;
export const PACK_MESSAGES = 256;
/** How often channels are looked at that nobody uses, unless `limits.channelIdleMs` is so short that it takes more. */
export const EXPIRE_EVERY_MS = 10_000;
