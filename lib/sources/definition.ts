// What a caller or an operator says of a source, checked for what all types share. What only the type knows goes on to it unread.

import { setImmediate } from 'node:timers/promises';
import * as v from 'valibot';
import { MAX_PATTERN_CHARS } from '../access/patterns.ts';
import { GreenroomError } from '../errors.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import { requireValid } from '../protocol/issues.ts';
import { parseUntrusted, untrustedText } from '../protocol/json.ts';
import { MemberReader } from '../protocol/members.ts';
import { isObject } from '../protocol/payload.ts';
import { isWorkerId } from '../protocol/worker-ids.ts';
import { MAX_PATTERNS } from './bounds.ts';
import type { SourceDefinition } from './source.ts';

const NAME = 'expected 1 to 128 of A-Z a-z 0-9 . _ : - without ::, and not . or ..';
/** A client that resolves paths as browsers do could make such a source, but neither look at it nor delete it. */
const DOTS = new Set(['.', '..']);
const name = v.pipe(
  v.string(),
  v.check((value) => isWorkerId(value) && !value.includes('::') && !DOTS.has(value), NAME),
);
const patterns = v.optional(
  v.pipe(
    v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_PATTERN_CHARS))),
    v.minLength(1),
    v.maxLength(MAX_PATTERNS),
  ),
);

/** Throws `invalid_request`, naming the key. */
export function parseDefinition(value: unknown, types: readonly string[], isFromOperator: boolean): SourceDefinition {
  if (!isObject(value)) {
    throw GreenroomError.of('invalid_request', { details: { issues: [{ path: '', message: 'expected an object' }] } });
  }
  const schema = v.looseObject({ name, type: v.picklist(types), include: patterns, exclude: patterns });
  const { name: given, type, include, exclude, ...settings } = requireValid(schema, value, 'invalid_request');
  return { name: given, type, include, exclude, settings, isFromOperator };
}

/**
 * An encoded definition. A `document` within a large one is not parsed, since that would hold the loop up: it stays the text that was
 * sent, for whoever reads documents off the main thread; and the loop has its turns. Rejects with `invalid_json` or `invalid_request`.
 */
export async function decodeDefinition(encoded: Uint8Array): Promise<unknown> {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  if (bytes.byteLength <= INLINE_PARSE_BYTES) return parseUntrusted(bytes);
  const members = new MemberReader({
    names: ['document'],
    unknown: () => null,
    repeated: (path) =>
      GreenroomError.of('invalid_request', { details: { issues: [{ path, message: 'given more than once' }] } }),
  });
  for (let isFound = members.read(bytes, 0, bytes.byteLength); !isFound; isFound = members.goOn()) await setImmediate();
  if (!members.has(0)) return parseUntrusted(bytes);
  const [start, end] = [members.startOf(0), members.endOf(0)];
  const rest = Buffer.concat([bytes.subarray(0, start), Buffer.from('null'), bytes.subarray(end)]);
  const others = parseUntrusted(rest) as object;
  const text = untrustedText(bytes.subarray(start, end));
  await setImmediate();
  return { ...others, document: documentOf(text) };
}

/** A text is what it stands for, anything else what it looks like. */
function documentOf(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return JSON.parse(text) as string;
  } catch (cause) {
    throw GreenroomError.of('invalid_json', { cause });
  }
}
