// Regular expressions of documents: whoever wrote them is not to decide how long a check takes.

import safeRegex from 'safe-regex2';
import { MAX_MATCHED_CHARS, MAX_PATTERN_CHARS } from './reading-bounds.ts';

/** Why it cannot be used, for people; null when it can. */
export function invalidPattern(pattern: string): string | null {
  if (pattern.length > MAX_PATTERN_CHARS) return 'It is too long.';
  try {
    new RegExp(pattern, 'u');
  } catch {
    // The message would quote it.
    return 'It is no regular expression of Unicode mode.';
  }
  return safeRegex(pattern) ? null : 'It may take exponential time.';
}

/**
 * The pattern as a schema. One that may take quadratic time (anything repeated that does not begin at the start of the text, or more
 * repetitions than one) is tried on texts of a bounded length only; longer ones pass.
 */
export function patternSchema(pattern: string, schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const repetitions = pattern.replace(/\\./g, '').match(/[*+]|\{\d+,\}/g)?.length ?? 0;
  const isLinear = repetitions === 0 || (repetitions === 1 && pattern.startsWith('^') && !pattern.includes('|'));
  if (isLinear) return { pattern };
  const guarded = { if: { type: 'string', maxLength: MAX_MATCHED_CHARS }, then: { pattern } };
  return 'if' in schema ? { allOf: [...((schema['allOf'] as unknown[] | undefined) ?? []), guarded] } : guarded;
}
