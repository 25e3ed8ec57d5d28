// The bounds of what leaves the runtime; what an operator may set is among the limits.

/** Characters of a URL as it is given. Signed URLs are longer than the 2,048 that are often named. */
export const MAX_URL_CHARS = 8_192;
/** How long the look-up of a name may take before a registration is refused. */
export const LOOKUP_TIMEOUT_MS = 5_000;
/** Names that may be looked up at a time; the resolver of the system has four threads for them, which Node uses for files too. */
export const MAX_LOOKUPS = 256;
/** From the first packet, or the look-up of the name, to the end of the TLS handshake. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** How long one address of a name is tried before the next one; Node's own 250 ms are short for a distant server. */
export const ATTEMPT_TIMEOUT_MS = 500;
/** How long an idle connection is kept, unless its server says otherwise, */
export const IDLE_TIMEOUT_MS = 10_000;
/** and at most, whatever its server says. */
export const MAX_IDLE_TIMEOUT_MS = 60_000;
/** Origins that may be connected to at a time, for each reach; undici forgets one with its last connection. */
export const MAX_ORIGINS = 1_024;
/** Bytes of the headers of an answer. */
export const MAX_ANSWER_HEADER_BYTES = 16_384;
