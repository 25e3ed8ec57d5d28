// A text becomes a document: JSON or YAML, bounded in depth and in values before anything else looks at it. Runs in the thread.
// Nothing that is said of a text quotes it: it may come from an address whose content its caller is not to see.

import { LineCounter, parseDocument as parseYaml } from 'yaml';
import { GreenroomError } from '../errors.ts';
import { MAX_ALIASES, MAX_DEPTH, MAX_NODES } from './bounds.ts';

export interface SourceDocument {
  /** Without a fragment; null when nobody knows where it came from. */
  readonly url: string | null;
  readonly root: unknown;
  /** The one that is read, and not one that it refers to. */
  readonly isMain: boolean;
}

/** Counts what all documents of one reading have together. */
export class Budget {
  nodes = MAX_NODES;
}

/** Keys whose members have names of the author's choice: below them, `default` is a name and no keyword. */
const NAMED = new Set(
  'properties patternProperties dependentSchemas $defs definitions schemas responses parameters headers requestBodies content callbacks pathItems paths'.split(
    ' ',
  ),
);
/** Keys of values that are data, in which `$ref` means nothing. */
const DATA = new Set(['example', 'examples', 'default', 'enum', 'const']);
type Kind = 'keywords' | 'names' | 'data';

export function invalidSource(message: string, issues?: readonly { path: string; message: string }[]): GreenroomError {
  return GreenroomError.of('invalid_source', { message, ...(issues && { details: { issues } }) });
}

/** Text as a tree of plain values, with the references of it that leave it. Throws `invalid_source`. */
export function parseText(text: string, budget: Budget): { readonly root: unknown; readonly leaving: Set<string> } {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const root: unknown = /^\s*[{[]/.test(source) ? fromJson(source) : fromYaml(source);
  return { root, leaving: inspect(root, budget) };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // The message of the parser may quote the text; only the place is taken from it.
    const place = /at position \d+/.exec((error as Error).message)?.[0];
    throw invalidSource(`The document is not valid JSON${place === undefined ? '' : ` ${place}`}.`);
  }
}

function fromYaml(text: string): unknown {
  try {
    const lineCounter = new LineCounter();
    const parsed = parseYaml(text, { prettyErrors: false, logLevel: 'silent', merge: true, lineCounter });
    const [error] = parsed.errors;
    if (error !== undefined) {
      const { line, col } = lineCounter.linePos(error.pos[0]);
      throw invalidSource(`The document is not valid YAML: ${error.code} at line ${line}, column ${col}.`);
    }
    return parsed.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
  } catch (error) {
    if (error instanceof GreenroomError) throw error;
    // The library throws for too many aliases, and recurses: a RangeError is a document that is too deep.
    throw invalidSource('The document cannot be read: its YAML is nested too deep, or has too many aliases.');
  }
}

/**
 * Walks every value once for each way that leads to it: an alias of YAML is the same object in many places, and whoever reads on would
 * walk it as often. Takes `__proto__` keys out.
 */
function inspect(root: unknown, budget: Budget): Set<string> {
  const leaving = new Set<string>();
  const open: { value: object; depth: number; kind: Kind }[] = [];
  const visit = (value: unknown, depth: number, kind: Kind): void => {
    if (--budget.nodes < 0) throw invalidSource(`The document has more than ${MAX_NODES} values.`);
    if (typeof value !== 'object' || value === null) return;
    if (depth > MAX_DEPTH) throw invalidSource(`The document is nested deeper than ${MAX_DEPTH} levels.`);
    open.push({ value, depth, kind });
  };
  visit(root, 1, 'keywords');
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth, kind } = next;
    if (Array.isArray(value)) {
      for (const item of value as unknown[]) visit(item, depth + 1, kind === 'data' ? 'data' : 'keywords');
      continue;
    }
    if (Object.hasOwn(value, '__proto__')) Reflect.deleteProperty(value, '__proto__');
    for (const [key, member] of Object.entries(value)) {
      if (key === '$ref' && kind === 'keywords' && typeof member === 'string' && !member.startsWith('#')) {
        leaving.add(member);
      }
      visit(member, depth + 1, kindOf(key, kind));
    }
  }
  return leaving;
}

function kindOf(key: string, parent: Kind): Kind {
  if (parent === 'data' || (parent === 'keywords' && DATA.has(key))) return 'data';
  return parent === 'keywords' && NAMED.has(key) ? 'names' : 'keywords';
}
