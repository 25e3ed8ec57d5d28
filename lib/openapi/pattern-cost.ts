// How long a text may be for a pattern of a document to be tried on it. Patterns are written by whoever wrote the document and texts by
// whoever calls, and a regular expression of Node can take longer than the universe is old. What is not tried here is left to the API.

import { MAX_PATTERN_CHARS, MAX_PATTERN_STEPS } from './bounds.ts';

/** Characters; 0: never. */
export function patternMaxChars(pattern: string): number {
  if (pattern.length > MAX_PATTERN_CHARS || !isPattern(pattern)) return 0;
  // Escaped characters and classes are one character each, whatever is in them.
  const plain = pattern.replace(/\\(?:[pPu]\{[^}]*\}|[^1-9k])/g, 'e').replace(/\[[^\]]*\]/g, 'c');
  // References to a group, and groups that repeat something which repeats: both may try every way to divide the text.
  if (/\\|\)(?:[*+]|\{)/.test(plain)) return 0;
  const loops = plain.match(/[*+]|\{\d+,\}/g)?.length ?? 0;
  const isAnchored = plain.startsWith('^') && !hasTopLevelChoice(plain);
  const once = pattern.length * waysOf(plain);
  const rounds = loops + (isAnchored ? 0 : 1);
  return rounds === 0 ? Math.floor(MAX_PATTERN_STEPS / once) : Math.floor((MAX_PATTERN_STEPS / once) ** (1 / rounds));
}

function isPattern(pattern: string): boolean {
  try {
    new RegExp(pattern, 'u');
    return true;
  } catch {
    // Not as JavaScript has them: documents hold patterns of many languages.
    return false;
  }
}

/** How many ways through the pattern there are without its loops: one of the branches of each group, each optional part taken or not. */
function waysOf(plain: string): number {
  let ways = 1;
  const branches = [1];
  for (let at = 0; at < plain.length; at++) {
    const mark = plain[at];
    if (mark === '(') branches.push(1);
    else if (mark === '|') branches[branches.length - 1]! += 1;
    else if (mark === ')') ways *= branches.pop() ?? 1;
    else if (mark === '?' && !'(*+?}'.includes(plain[at - 1] ?? '(')) ways *= 2;
  }
  for (const [, least, most] of plain.matchAll(/\{(\d+),(\d+)\}/g)) ways *= 1 + Number(most) - Number(least);
  return ways * (branches[0] ?? 1);
}

function hasTopLevelChoice(plain: string): boolean {
  let depth = 0;
  for (const mark of plain) {
    if (mark === '(') depth++;
    else if (mark === ')') depth--;
    else if (mark === '|' && depth === 0) return true;
  }
  return false;
}
