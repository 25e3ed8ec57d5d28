// Text that a peer says of itself or writes to the log, fit to be shown: on one line, in the order in which it was written, bounded.

/** Controls, line separators, and what turns the direction of text around: with them a name can pose as another or forge a line. */
const UNSHOWABLE = /[\p{Cc}\u2028\u2029\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;
/** Half of a character that the cut went through. */
const CUT_CHARACTER = /[\uD800-\uDBFF]$/;

/** Undefined when nothing is left of it. */
export function cleanText(text: string, maxChars: number): string | undefined {
  // What is thrown away takes the place of at most as much text: a name of 1 MiB is not worth a pass over 1 MiB.
  const shown = text
    .slice(0, 2 * maxChars)
    .replace(UNSHOWABLE, '')
    .trim();
  return shown.slice(0, maxChars).replace(CUT_CHARACTER, '') || undefined;
}
