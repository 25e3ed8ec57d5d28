// `_caller_worker_id`: who calls, written by the runtime into the payload of a call before it reaches a remote's handler. Handlers rely
// on it, so it is always the runtime's: ours is the last member of the object, which is the one that JSON readers take.

import { GreenroomError } from '../errors.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import { COMMA } from './json-marks.ts';
import { MemberReader } from './members.ts';
import type { MemberRules } from './members.ts';
import { decode, payloadBytes } from './payload.ts';
import type { Payload } from './payload.ts';

export const CALLER_KEY = '_caller_worker_id';
const OPEN = 0x7b;

/** The payload with its caller's id, if it is an object; without one that somebody else wrote, if the caller has none. */
export function withCaller(payload: Payload, workerId: string | null): Payload {
  if (!isObject(payload)) return payload;
  // The only other way to spell it is with an escape, and text of other languages is full of those.
  const isClaimed = mentions(payload, CALLER_KEY) || (mentions(payload, String.raw`\u`) && mayHold(payload));
  if (workerId === null && !isClaimed) return payload;
  // Duplicate members are legal and ambiguous; where it is cheap there are none.
  if (isClaimed && isShort(payload)) {
    const value = decode(payload) as Record<string, unknown>;
    if (workerId === null) Reflect.deleteProperty(value, CALLER_KEY);
    else value[CALLER_KEY] = workerId;
    return JSON.stringify(value);
  }
  const member = `"${CALLER_KEY}":${workerId === null ? 'null' : JSON.stringify(workerId)}}`;
  return typeof payload === 'string' ? appendToText(payload, member) : appendToBytes(payload, member);
}

function isShort(payload: Payload): boolean {
  return payloadBytes(payload) <= INLINE_PARSE_BYTES;
}

/** Whether the member is there, however it is spelt; a long payload is not asked and may hold it. */
function mayHold(payload: Payload): boolean {
  return !isShort(payload) || Object.hasOwn(decode(payload) as object, CALLER_KEY);
}

function mentions(payload: Payload, word: string): boolean {
  if (typeof payload === 'string') return payload.includes(word);
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).includes(word);
}

function isObject(payload: Payload): boolean {
  // White space in front of a value is rare and short.
  let at = 0;
  while (at < payload.length && unitAt(payload, at) <= 0x20) at++;
  return unitAt(payload, at) === OPEN;
}

function unitAt(payload: Payload, at: number): number {
  return typeof payload === 'string' ? payload.charCodeAt(at) : (payload[at] as number);
}

function appendToText(text: string, member: string): string {
  const end = text.lastIndexOf('}');
  const head = text.slice(0, end).trimEnd();
  return `${head}${head.endsWith('{') ? '' : ','}${member}`;
}

function appendToBytes(bytes: Uint8Array, member: string): Uint8Array {
  let end = bytes.lastIndexOf(0x7d);
  while ((bytes[end - 1] as number) <= 0x20) end--;
  const tail = `${bytes[end - 1] === OPEN ? '' : ','}${member}`;
  return Buffer.concat([bytes.subarray(0, end), Buffer.from(tail)]);
}

/**
 * The payload for somebody who is no part of the runtime: without the member, whoever wrote it. Rejects with `invalid_request` for a long
 * payload that has it twice.
 */
export function withoutCaller(payload: Payload): Payload | Promise<Payload> {
  if (!isObject(payload)) return payload;
  if (!mentions(payload, CALLER_KEY) && !mentions(payload, String.raw`\u`)) return payload;
  return isShort(payload)
    ? withCaller(payload, null)
    : cutMember(typeof payload === 'string' ? Buffer.from(payload) : asBuffer(payload));
}

const RULES: MemberRules = {
  names: [CALLER_KEY],
  unknown: () => null,
  repeated: (name) =>
    GreenroomError.of('invalid_request', {
      details: { issues: [{ path: name, message: 'this member is there twice' }] },
    }),
};

/** A long payload is looked through in pieces. */
async function cutMember(payload: Buffer): Promise<Buffer> {
  const reader = new MemberReader(RULES);
  let isRead = reader.read(payload, 0, payload.length);
  while (!isRead) {
    await new Promise((resolve) => setImmediate(resolve));
    isRead = reader.goOn();
  }
  if (!reader.has(0)) return payload;
  // However its name is spelt, there is no other quote in it.
  const nameEnd = payload.lastIndexOf('"', reader.startOf(0) - 1);
  let start = payload.lastIndexOf('"', nameEnd - 1);
  let end = reader.endOf(0);
  while ((payload[start - 1] as number) <= 0x20) start--;
  while ((payload[end] as number) <= 0x20) end++;
  // One of the commas around it goes with it.
  if (payload[end] === COMMA) end++;
  else if (payload[start - 1] === COMMA) start--;
  return Buffer.concat([payload.subarray(0, start), payload.subarray(end)]);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
