// The time inside a runtime: milliseconds since shortly before this module was loaded. A small integer lies in its field, a
// number of today's Date.now() is an object of its own, and an ask holds five (measured: 5 % of an ask).
// 0 is never a time. After 24 days the numbers are objects again, and everything goes on.

/** On the clock of Date.now(). A host has to use that of its supervisor. */
export const ORIGIN_MS = Date.now() - 1;

export function now(): number {
  return Date.now() - ORIGIN_MS;
}

/** On the clock of Date.now(); 0 stays 0. */
export function toEpochMs(at: number): number {
  return at === 0 ? 0 : ORIGIN_MS + at;
}
