// What was read of a source, held against what it may be: the functions that are wanted, within their bounds, and what has changed.

import { compilePatterns } from '../access/patterns.ts';
import { GreenroomError } from '../errors.ts';
import type { FunctionServer } from '../functions/function.ts';
import { isFunctionId } from '../functions/registry.ts';
import type { Offered } from '../functions/registry.ts';
import type { Limits } from '../limits.ts';
import type { SourceChange } from '../protocol/views.ts';
import { MAX_TEXT_CHARS, MAX_UNMAPPED_SHOWN } from './bounds.ts';
import type { SourceDefinition, SourceFunction, SourceReading, Unmapped } from './source.ts';

/** What becomes of a reading. */
export interface Selection {
  readonly title: string | null;
  /** By function id. */
  readonly functions: ReadonlyMap<string, SourceFunction>;
  /** The first of them. */
  readonly unmapped: readonly Unmapped[];
  readonly unmappedTotal: number;
}

/** Throws `invalid_source` when there are too many functions, or two of one name. */
export function select(definition: SourceDefinition, reading: SourceReading, limits: Limits): Selection {
  const { name, include = ['*'], exclude = [] } = definition;
  const [isIncluded, isExcluded] = [compilePatterns(include), compilePatterns(exclude)];
  const functions = new Map<string, SourceFunction>();
  const nameless: Unmapped[] = [];
  for (const found of reading.functions) {
    if (!isIncluded(found.name) || isExcluded(found.name)) continue;
    const functionId = `${name}::${found.name}`;
    if (found.name === '' || !isFunctionId(functionId)) {
      nameless.push({ operation: found.name, reason: 'Its name cannot be part of a function id.', isServed: false });
    } else if (functions.has(functionId)) {
      throw GreenroomError.of('invalid_source', { message: `Two functions of the source have the id ${functionId}.` });
    } else functions.set(functionId, found);
  }
  requireFewEnough(functions.size, limits.maxFunctionsPerSource);
  return {
    title: reading.title === null ? null : cut(reading.title),
    functions,
    unmapped: [...nameless, ...reading.unmapped].slice(0, MAX_UNMAPPED_SHOWN).map(shorten),
    unmappedTotal: nameless.length + reading.unmapped.length,
  };
}

/** What a reading changes about functions of which the fingerprints are known, by function id. */
export function changeOf(before: ReadonlyMap<string, string>, { functions }: Selection): SourceChange {
  let [added, changed] = [0, 0];
  for (const [functionId, { fingerprint }] of functions) {
    const known = before.get(functionId);
    if (known === undefined) added++;
    else if (known !== fingerprint) changed++;
  }
  const unchanged = functions.size - added - changed;
  return { added, changed, removed: before.size - changed - unchanged, unchanged };
}

/** For the registry. `kept` is the server that a function keeps, because nothing about it has changed. */
export function offersOf(
  group: string,
  { functions }: Selection,
  kept: (functionId: string, fingerprint: string) => FunctionServer | undefined,
): Offered[] {
  return Array.from(functions, ([functionId, found]) => {
    const { description, requestFormat, responseFormat, metadata, server, fingerprint } = found;
    const spec = { functionId, description, requestFormat, responseFormat, metadata };
    return { spec, group, server: kept(functionId, fingerprint) ?? server };
  });
}

function requireFewEnough(functions: number, limit: number): void {
  if (functions <= limit) return;
  throw GreenroomError.of('invalid_source', {
    message: `The source has ${functions} functions, the limit is ${limit}: choose some of them with include and exclude.`,
    details: { functions, limit },
  });
}

function shorten({ operation, reason, isServed }: Unmapped): Unmapped {
  return { operation: cut(operation), reason: cut(reason), isServed };
}

export function cut(text: string): string {
  return text.length <= MAX_TEXT_CHARS ? text : `${text.slice(0, MAX_TEXT_CHARS - 1)}…`;
}
