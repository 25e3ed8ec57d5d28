// From the bytes of one frame to what it says. The frame is not parsed as a whole: its members are found, the small ones parsed, and
// the payload of a call stays as it was sent. Absent is null wherever a peer may leave something out: SDKs do.

import { GreenroomError } from '../errors.ts';
import { INLINE_PARSE_BYTES, MAX_ERROR_CHARS, MAX_REGISTRATION_BYTES } from '../limits.ts';
import { isPeerCode } from '../protocol/error-body.ts';
import { QUOTE } from '../protocol/json-marks.ts';
import { parseUntrusted, untrustedText } from '../protocol/json.ts';
import { MemberReader, stringIn } from '../protocol/members.ts';
import type { Payload } from '../protocol/payload.ts';
import { MAX_BAGGAGE_CHARS } from '../engine/bounds.ts';
import { MAX_METADATA_BYTES, MAX_TRACEPARENT_CHARS } from './bounds.ts';
import type { ErrorBody, TriggerFrame } from '../protocol/remote-frames.ts';

export interface InvokeFrame {
  readonly type: 'invokefunction';
  /** Null: nobody waits for an answer. */
  readonly invocationId: string | null;
  readonly functionId: string;
  /** Text has been checked; bytes, which are large, have not. */
  readonly data: Payload;
  readonly metadata: string | null;
  readonly traceparent: string | undefined;
  readonly baggage: string | undefined;
  readonly action: 'call' | 'void' | 'enqueue';
}

export interface ResultFrame {
  readonly type: 'invocationresult';
  readonly invocationId: string;
  /** As `data` of a call. */
  readonly result: Payload;
  readonly error: ErrorBody | null;
}

export interface RegisterFrame {
  readonly type: 'registerfunction';
  readonly id: string;
  readonly description: string | null;
  readonly requestFormat: unknown;
  readonly responseFormat: unknown;
  readonly metadata: unknown;
  /** How it is called over HTTP; undefined when the peer serves it itself. */
  readonly invocation: unknown;
  /** Encoded, of all that is kept of it. */
  readonly bytes: number;
}

export type IncomingFrame =
  | InvokeFrame
  | ResultFrame
  | RegisterFrame
  | { readonly type: 'unregisterfunction'; readonly id: string }
  | { readonly type: 'reattach'; readonly previousWorkerId: string; readonly token: string | null }
  | TriggerFrame
  | { readonly type: 'ping' }
  | { readonly type: 'ignored' };

const NAMES = [
  'type',
  'invocation_id',
  'function_id',
  'data',
  'result',
  'error',
  'metadata',
  'traceparent',
  'baggage',
  'action',
  'id',
  'description',
  'request_format',
  'response_format',
  'invocation',
  'trigger_type',
  'config',
  'previous_worker_id',
  'reattach_token',
  'trigger_request_format',
  'call_request_format',
] as const;
type Name = (typeof NAMES)[number];
const PLACE = Object.fromEntries(NAMES.map((name, place) => [name, place])) as Record<Name, number>;
const REGISTERED = ['description', 'request_format', 'response_format', 'metadata', 'invocation'] as const;
/** Ids, types and tokens, with their quotes. */
const MAX_ID_BYTES = 1_024;
const MAX_DESCRIPTION_CHARS = 4_096;

/** What is said in a frame whose payload may be anything: enough to answer it. */
export interface Address {
  readonly type: string | null;
  readonly invocationId: string | null;
  readonly functionId: string | null;
}

/** Reads one frame after the other; what it hands back does not depend on it any more. */
export class FrameReader {
  readonly #members = new MemberReader({
    names: NAMES,
    unknown: () => null,
    repeated: (name) => invalidMember(name, 'given more than once'),
  });
  #source: Buffer = Buffer.alloc(0);

  /** False when the frame is so long that the loop should have a turn before `goOn`. Throws `invalid_json` or `invalid_request`. */
  open(source: Buffer): boolean {
    this.#source = source;
    return this.#members.read(source, 0, source.length);
  }

  goOn(): boolean {
    return this.#members.goOn();
  }

  /** Never throws: what is not there or not a short text is null. Of a frame that could not be opened, what was found until then. */
  address(): Address {
    const type = this.#peekText('type');
    return {
      type,
      invocationId: this.#peekText('invocation_id'),
      functionId: this.#peekText(type === 'registerfunction' ? 'id' : 'function_id'),
    };
  }

  /** Throws `invalid_json` or `invalid_request`, naming the member. */
  frame(): IncomingFrame {
    const type = this.#peekText('type') ?? '';
    switch (type) {
      case 'invokefunction':
        return this.#invoke();
      case 'invocationresult':
        return this.#result();
      case 'registerfunction':
        return this.#register();
      case 'unregisterfunction':
        return { type, id: this.#id('id') };
      case 'reattach':
        return { type, previousWorkerId: this.#id('previous_worker_id'), token: this.#peekText('reattach_token') };
      case 'ping':
        return { type };
      default:
        return this.#trigger(type);
    }
  }

  #invoke(): InvokeFrame {
    return {
      type: 'invokefunction',
      invocationId: this.#has('invocation_id') ? this.#id('invocation_id') : null,
      functionId: this.#id('function_id'),
      data: this.#payload('data'),
      metadata: this.#metadata(),
      traceparent: this.#short('traceparent', MAX_TRACEPARENT_CHARS),
      baggage: this.#short('baggage', MAX_BAGGAGE_CHARS),
      action: this.#action(),
    };
  }

  #result(): ResultFrame {
    const invocationId = this.#id('invocation_id');
    const error = this.#has('error') ? this.#errorBody() : null;
    return { type: 'invocationresult', invocationId, result: error === null ? this.#payload('result') : 'null', error };
  }

  #register(): RegisterFrame {
    const id = this.#id('id');
    const bytes = REGISTERED.reduce((sum, name) => sum + (this.#has(name) ? this.#slice(name).length : 0), 0);
    if (bytes > MAX_REGISTRATION_BYTES)
      throw invalidMember('', `expected at most ${MAX_REGISTRATION_BYTES} bytes beside the id`);
    return {
      type: 'registerfunction',
      id,
      description: this.#description(),
      requestFormat: this.#value('request_format'),
      responseFormat: this.#value('response_format'),
      metadata: this.#value('metadata'),
      invocation: this.#value('invocation'),
      bytes: bytes + Buffer.byteLength(id),
    };
  }

  #trigger(type: string): IncomingFrame {
    switch (type) {
      case 'registertriggertype':
        return {
          type,
          id: this.#id('id'),
          description: this.#description() ?? '',
          requestFormat: this.#value('trigger_request_format'),
          callFormat: this.#value('call_request_format'),
        };
      case 'unregistertriggertype':
      case 'unregistertrigger':
        return { type, id: this.#id('id') };
      case 'registertrigger':
        return {
          type,
          id: this.#id('id'),
          triggerType: this.#id('trigger_type'),
          functionId: this.#id('function_id'),
          config: this.#value('config') ?? null,
          metadata: this.#value('metadata'),
        };
      case 'triggerregistrationresult':
        return {
          type,
          id: this.#id('id'),
          triggerType: this.#id('trigger_type'),
          error: this.#has('error') ? this.#errorBody() : null,
        };
      default:
        return { type: 'ignored' };
    }
  }

  // --- members ---

  /** Null counts as absent: some SDKs write it where others leave the member out. */
  #has(name: Name): boolean {
    const place = PLACE[name];
    if (!this.#members.has(place)) return false;
    return NULL.compare(this.#source, this.#members.startOf(place), this.#members.endOf(place)) !== 0;
  }

  #slice(name: Name): Buffer {
    const place = PLACE[name];
    return this.#source.subarray(this.#members.startOf(place), this.#members.endOf(place));
  }

  #peekText(name: Name): string | null {
    if (!this.#has(name)) return null;
    const slice = this.#slice(name);
    if (slice[0] !== QUOTE || slice.length > MAX_ID_BYTES) return null;
    try {
      return stringIn(slice, 0, slice.length);
    } catch {
      return null; // Whoever needs it refuses the frame for its absence.
    }
  }

  #id(name: Name): string {
    const text = this.#peekText(name);
    if (text === null || text === '') throw invalidMember(name, 'expected a text that is not empty');
    return text;
  }

  #short(name: Name, maxChars: number): string | undefined {
    if (!this.#has(name)) return undefined;
    const slice = this.#slice(name);
    if (slice[0] !== QUOTE || slice.length - 2 > maxChars) return undefined;
    return stringIn(slice, 0, slice.length);
  }

  #description(): string | null {
    const value = this.#value('description');
    if (value === undefined) return null;
    if (typeof value !== 'string') throw invalidMember('description', 'expected string');
    return value.slice(0, MAX_DESCRIPTION_CHARS);
  }

  /** A value that is wanted here; undefined when it is absent. */
  #value(name: Name): unknown {
    if (!this.#has(name)) return undefined;
    const slice = this.#slice(name);
    if (slice.length > MAX_REGISTRATION_BYTES)
      throw invalidMember(name, `expected at most ${MAX_REGISTRATION_BYTES} bytes`);
    return parseUntrusted(slice);
  }

  #payload(name: 'data' | 'result'): Payload {
    if (!this.#has(name)) return 'null';
    const slice = this.#slice(name);
    if (slice.length > INLINE_PARSE_BYTES) return slice;
    const text = untrustedText(slice);
    parseUntrusted(text);
    return text;
  }

  #metadata(): string | null {
    if (!this.#has('metadata')) return null;
    const slice = this.#slice('metadata');
    if (slice.length > MAX_METADATA_BYTES)
      throw invalidMember('metadata', `expected at most ${MAX_METADATA_BYTES} bytes`);
    const text = untrustedText(slice);
    parseUntrusted(text);
    return text;
  }

  #action(): InvokeFrame['action'] {
    if (!this.#has('action')) return 'call';
    const { type } = Object(this.#value('action')) as { type?: unknown };
    if (type === 'void' || type === 'enqueue') return type;
    throw invalidMember('action.type', 'expected void or enqueue');
  }

  /** As the peer made it: only code and message are taken over, and a stack never is. */
  #errorBody(): ErrorBody {
    const value = this.#slice('error').length > MAX_REGISTRATION_BYTES ? null : this.#value('error');
    if (typeof value === 'string') return { code: UNKNOWN_CODE, message: value.slice(0, MAX_ERROR_CHARS) };
    const { code, message } = (value ?? {}) as { code?: unknown; message?: unknown };
    return {
      code: typeof code === 'string' && isPeerCode(code) ? code : UNKNOWN_CODE,
      message: typeof message === 'string' ? message.slice(0, MAX_ERROR_CHARS) : 'The function failed.',
    };
  }
}

const NULL = Buffer.from('null');
const UNKNOWN_CODE = 'invocation_failed';

function invalidMember(path: string, message: string): GreenroomError {
  return GreenroomError.of('invalid_request', { details: { issues: [{ path, message }] } });
}
