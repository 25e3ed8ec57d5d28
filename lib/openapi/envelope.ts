// A payload taken apart: what belongs to each place, parsed, and the body as it came. A long payload is searched in pieces, so that the
// loop has its turns, and its body is parsed by the thread that checks it.

import { setImmediate as turn } from 'node:timers/promises';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { CALLER_KEY } from '../protocol/caller.ts';
import { MemberReader } from '../protocol/members.ts';
import type { GivenBody } from './bodies.ts';
import { PLACES } from './operation.ts';
import type { GivenParameters } from './parameters.ts';
import { invalidAt } from './styles.ts';

export interface Envelope {
  readonly parameters: GivenParameters;
  readonly body: GivenBody | null;
}

const NAMES = [...PLACES, 'body'];
const NOTHING: Envelope = { parameters: {}, body: null };

/** Rejects with `invalid_input`, naming the key. */
export async function readEnvelope(payload: Payload): Promise<Envelope> {
  if (payload.length <= 8 && decode(payload) === null) return NOTHING;
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : asBuffer(payload);
  if (!startsObject(bytes)) throw invalidAt('', 'expected an object');
  const reader = new MemberReader({
    names: NAMES,
    // Handlers of remotes may pass on the payload that they were given. Who called them does not leave the runtime.
    unknown: (name) => (name === CALLER_KEY ? null : invalidAt(name.slice(0, 256), 'unknown key')),
    repeated: (name) => invalidAt(name, 'given twice'),
  });
  for (let isDone = reader.read(bytes, 0, bytes.byteLength); !isDone; isDone = reader.goOn()) await turn();
  const slices = NAMES.map((_name, index) =>
    reader.has(index) ? bytes.subarray(reader.startOf(index), reader.endOf(index)) : null,
  );
  const body = slices.at(-1) ?? null;
  return { parameters: parametersOf(slices), body: body === null ? null : bodyOf(body) };
}

function parametersOf(slices: readonly (Buffer | null)[]): GivenParameters {
  const entries = PLACES.flatMap((place, index) => {
    const slice = slices[index] ?? null;
    if (slice === null) return [];
    // No server takes a request line or headers of that length.
    if (slice.byteLength > INLINE_PARSE_BYTES) throw invalidAt(place, `expected at most ${INLINE_PARSE_BYTES} bytes`);
    return [[place, decode(slice)] as const];
  });
  return Object.fromEntries(entries);
}

function bodyOf(bytes: Buffer): GivenBody {
  let parsed: { readonly value: unknown } | null = null;
  return { bytes, value: () => (parsed ??= { value: decode(bytes) }).value };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function startsObject(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte > 0x20) return byte === 0x7b;
  return false;
}
