// The control plane between a supervisor and its host: comlink calls in both directions, and the whole list of them.
// comlink by itself loses `code`, `retryable` and `details` of an error and never settles a call whose peer has died:
// the handler below carries the first, the link settles the second.

import type { MessagePort, TransferListItem } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeAdapter from 'comlink/dist/umd/node-adapter.js';
import { MessagePack } from '../channels/pack.ts';
import type { ChannelOptions, ChannelRef, ChannelRefs } from '../protocol/channel-ref.ts';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Port } from './ports.ts';
import type { Repeat } from '../protocol/schedule.ts';
import type { PackedResults, PackedStarts } from './starts.ts';

/** Which thread a host is. */
export interface HostIdentity {
  /** As Node counts them. */
  readonly threadId: number;
  /** As the kernel does: `<process>/task/<thread>`, below /proc; null where there is no such folder. */
  readonly task: string | null;
}

/** What the supervisor may ask of a host. */
export interface HostCalls {
  hello(): HostIdentity;
  startWorkers(starts: PackedStarts): Promise<PackedResults>;
  stopWorkers(workerSlots: readonly number[]): Promise<void>;
  validate(module: string, payload: Payload): Promise<void>;
  /** Throws `invalid_json`. */
  checkJson(payload: Payload): void;
  /** Loads a module and says what it is. Rejects with `invalid_actor`. */
  inspect(module: string): Promise<{ kind: string; description: string | null }>;
  close(): void;
}

/** What the actors on a host may ask of the runtime. The host names the worker that asks; payloads are encoded. */
export interface RuntimeServices {
  /** `inputSeq`, here and below: of the input that the worker handles. */
  ask(workerId: string, inputSeq: number, target: string, input: Payload, timeoutMs: number | null): Promise<Payload>;
  tell(workerId: string, inputSeq: number, target: string, input: Payload): Promise<string>;
  create(
    workerId: string,
    kind: string,
    newWorkerId: string | null,
    config: Payload,
    displayName: string | null,
  ): Promise<string>;
  stop(workerId: string, target: string, drain: boolean, reason: string | null): Promise<void>;
  watch(workerId: string, target: string): void;
  unwatch(workerId: string, target: string): void;
  invoke(
    workerId: string,
    inputSeq: number,
    functionId: string,
    payload: Payload,
    metadata: Payload | null,
    timeoutMs: number | null,
  ): Promise<Payload>;
  /** A page of functions; the query and the page are encoded. */
  functions(workerId: string, query: Payload): Payload;
  after(workerId: string, inputSeq: number, name: string, delayMs: number, input: Payload): Promise<void>;
  every(workerId: string, inputSeq: number, name: string, repeat: Repeat, input: Payload): Promise<void>;
  cancelTimer(workerId: string, inputSeq: number, name: string): Promise<void>;
  /** The worker is not to hibernate until it takes that back by the same handle, or leaves its host. */
  keepAwake(workerId: string, handle: string, reason: string): void;
  release(workerId: string, handle: string): void;
  createChannel(workerId: string, options: ChannelOptions): ChannelRefs;
  /** Takes the end; the worker calls it by the number from then on. */
  takeChannel(workerId: string, ref: ChannelRef): number;
  /** Waits for messages; null when the writer is through. */
  readChannel(workerId: string, handle: number): Promise<MessagePack | null>;
  /** Resolves when there is room again. */
  writeChannel(workerId: string, handle: number, pack: MessagePack): Promise<void>;
  /** `isWhole`: a writer is through, and has not merely gone. */
  endChannel(workerId: string, handle: number, isWhole: boolean): void;
}

/** The peer's functions, called over a port. */
export type Calls<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
};

/** The module is the function, whatever its types say. */
const nodeEndpoint = nodeAdapter as unknown as typeof nodeAdapter.default;

const throwHandler = Comlink.transferHandlers.get('throw');
if (throwHandler === undefined) throw new Error('comlink has no throw handler');

/** Our errors cross as their wire form; anything else becomes `internal` on our ports, so that no stack or path crosses. */
Comlink.transferHandlers.set('throw', {
  canHandle: (value): value is unknown => throwHandler.canHandle(value),
  serialize: (thrown: unknown): [unknown, TransferListItem[]] => {
    const { value } = thrown as { value: unknown };
    if (value instanceof GreenroomError) return [{ greenroom: value.toWire(), status: value.status }, []];
    return throwHandler.serialize(thrown) as [unknown, TransferListItem[]];
  },
  deserialize: (wire: unknown): unknown => {
    const { greenroom, status } = wire as { greenroom?: WireError; status?: number };
    if (greenroom !== undefined) throw GreenroomError.fromWire(greenroom, status);
    return throwHandler.deserialize(wire);
  },
});

/** Messages cross with their memory, which is gone from where they come from. */
Comlink.transferHandlers.set('messages', {
  canHandle: (value): value is MessagePack => value instanceof MessagePack,
  serialize: ({ bytes, lengths, isText }: MessagePack): [unknown, TransferListItem[]] => [
    { bytes, lengths, isText },
    [bytes.buffer],
  ],
  deserialize: ({ bytes, lengths, isText }: MessagePack) => new MessagePack(bytes, lengths, isText),
});

/** Serves an object over a port. What it throws and is not ours becomes `internal`. */
export function serveCalls<T extends object>(calls: T, port: Port): void {
  const guarded = Object.fromEntries(
    Object.entries(calls).map(([name, call]) => [name, guard(call as (...args: unknown[]) => unknown)]),
  );
  Comlink.expose(guarded, nodeEndpoint(port));
}

function guard(call: (...args: unknown[]) => unknown): (...args: unknown[]) => Promise<unknown> {
  return async (...args) => {
    try {
      return await call(...args);
    } catch (thrown) {
      throw asGreenroomError(thrown);
    }
  };
}

/** The named functions of the peer. Each stub is made once: comlink registers every property access for finalisation. */
export function peerCalls<T extends object>(names: readonly (keyof T & string)[], port: Port): Calls<T> {
  const remote = Comlink.wrap(nodeEndpoint(port as MessagePort)) as Record<string, unknown>;
  return Object.fromEntries(names.map((name) => [name, remote[name]])) as Calls<T>;
}

export const HOST_CALLS = [
  'hello',
  'startWorkers',
  'stopWorkers',
  'validate',
  'checkJson',
  'inspect',
  'close',
] as const;
/** Services that all do the same, for hosts without a runtime: a module that is checked, a test, a benchmark. */
export function uniformServices(answer: () => never): RuntimeServices {
  return Object.fromEntries(SERVICE_CALLS.map((name) => [name, answer])) as unknown as RuntimeServices;
}

export const SERVICE_CALLS = [
  'ask',
  'tell',
  'create',
  'stop',
  'watch',
  'unwatch',
  'invoke',
  'functions',
  'after',
  'every',
  'cancelTimer',
  'keepAwake',
  'release',
  'createChannel',
  'takeChannel',
  'readChannel',
  'writeChannel',
  'endChannel',
] as const;
