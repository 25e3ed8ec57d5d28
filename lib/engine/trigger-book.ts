// Trigger types, the triggers bound to them, and who holds which: the state behind triggers.ts, changed in single steps.
// A type belongs to its provider while that is connected, as a function to its owner. A trigger that its provider cannot have
// (there is none, it went, it refused) is parked: it stays, and goes out again under the same id when the type appears.

import { GreenroomError } from '../errors.ts';
import { MAX_FUNCTION_ID_CHARS, MAX_REGISTRATION_BYTES } from '../limits.ts';
import { isEngineId } from '../protocol/function-ids.ts';
import { encode, payloadBytes } from '../protocol/payload.ts';
import type { Policy } from '../access/policy.ts';
import type { Remote } from './remote.ts';
import { TriggerRoom } from './trigger-room.ts';
import { unsupportedTriggerType } from './unsupported.ts';

/** Types of the runtime itself. */
export const FUNCTIONS_AVAILABLE = 'engine::functions-available';
export const WORKERS_AVAILABLE = 'engine::workers-available';
const ENGINE_TYPES: ReadonlyMap<string, string> = new Map([
  [FUNCTIONS_AVAILABLE, 'Fires when functions were registered or released.'],
  [WORKERS_AVAILABLE, 'Fires when a worker connects, disconnects or describes itself.'],
]);
/** Of types, triggers and functions alike. */
const ID = new RegExp(`^(?!\\s)[^\\p{Cc}]{1,${MAX_FUNCTION_ID_CHARS}}(?<!\\s)$`, 'u');

export interface TriggerType {
  readonly id: string;
  /** What its provider calls it: a hook may have renamed it. */
  readonly peerId: string;
  /** Null: the runtime. */
  readonly provider: Remote | null;
  readonly description: string;
  readonly requestFormat?: unknown;
  readonly callFormat?: unknown;
}

export interface Trigger {
  readonly id: string;
  readonly triggerType: string;
  /** As it is registered: with the prefix of its owner. */
  readonly functionId: string;
  readonly config: unknown;
  readonly metadata: unknown;
  /** The session that it ends with; null for one that stays until it is unregistered. */
  readonly owner: Remote | null;
  /** What whoever made it may call; null: everything. */
  readonly policy: Policy | null;
  /** The names under which its owner knows it. */
  readonly asGiven: { readonly id: string; readonly triggerType: string; readonly functionId: string };
}

type Entry = Trigger & { readonly bytes: number; parked: boolean };

export class TriggerBook {
  readonly #types = new Map<string, TriggerType & { readonly bytes: number }>();
  readonly #triggers = new Map<string, Entry>();
  readonly #ofType = new Map<string, Set<Entry>>();
  readonly #ofOwner = new Map<Remote | null, Map<string, Entry>>();
  readonly #room = new TriggerRoom<Remote | null>();

  constructor() {
    for (const [id, description] of ENGINE_TYPES)
      this.#types.set(id, { id, peerId: id, provider: null, description, bytes: 0 });
  }

  /** Another registration by the same provider replaces the first. All triggers of the type go out (again). Throws `trigger_registration_failed`. */
  addType(type: TriggerType & { readonly provider: Remote }): void {
    requireId(type.id, 'trigger type');
    if (isEngineId(type.id)) throw failure("Trigger types that begin with engine:: are the runtime's.");
    const holder = this.#types.get(type.id);
    if (holder !== undefined && holder.provider !== type.provider) {
      throw failure(`Another connected worker provides the trigger type ${type.id}.`);
    }
    const bytes = measure(type.description, type.requestFormat, type.callFormat);
    if (!this.#room.take(type.provider, bytes, holder?.bytes)) throw noRoom();
    this.#types.set(type.id, { ...type, bytes });
    for (const trigger of this.#ofType.get(type.id) ?? []) this.#deliver(trigger);
  }

  /** False when the provider has no type that it calls so. Its triggers are parked. */
  removeType(provider: Remote, peerId: string): boolean {
    for (const type of this.#types.values()) {
      if (type.provider === provider && type.peerId === peerId) return this.#dropType(type);
    }
    return false;
  }

  /**
   * Binds it and hands it to its provider. The same owner's trigger of that id is replaced. Throws `trigger_registration_failed`,
   * and `unsupported_operation` for a type that the protocol knows and nobody here provides.
   */
  add(trigger: Trigger): { parked: boolean } {
    requireId(trigger.id, 'trigger');
    requireId(trigger.triggerType, 'trigger type');
    requireId(trigger.functionId, 'function');
    const unsupported = unsupportedTriggerType(trigger.triggerType);
    if (unsupported !== null && !this.#types.has(trigger.triggerType)) throw unsupported;
    const before = this.#triggers.get(trigger.id) ?? this.#ofOwner.get(trigger.owner)?.get(trigger.asGiven.id);
    if (before !== undefined && (before.owner !== trigger.owner || before.asGiven.id !== trigger.asGiven.id)) {
      throw failure('There is a trigger with this id.');
    }
    const bytes = measure(trigger.config, trigger.metadata);
    if (!this.#room.take(trigger.owner, bytes, before?.bytes)) throw noRoom();
    if (before !== undefined) this.#unlink(before);
    const entry: Entry = { ...trigger, bytes, parked: true };
    this.#triggers.set(entry.id, entry);
    this.#typeSet(entry.triggerType).add(entry);
    const owned = this.#ofOwner.get(entry.owner) ?? new Map<string, Entry>();
    this.#ofOwner.set(entry.owner, owned.set(entry.asGiven.id, entry));
    this.#deliver(entry);
    return entry;
  }

  /** Takes it out for good, and tells its provider. False when there is none. */
  remove(id: string): boolean {
    const entry = this.#triggers.get(id);
    if (entry === undefined) return false;
    this.#unlink(entry);
    this.#room.give(entry.owner, entry.bytes);
    return true;
  }

  /** What the provider says of a trigger. Undefined when it is not the provider, or the trigger is no more: then nothing changes. */
  settle(provider: Remote, id: string, refused: boolean): Trigger | undefined {
    const entry = this.#triggers.get(id);
    if (entry === undefined || this.#types.get(entry.triggerType)?.provider !== provider) return undefined;
    entry.parked = refused;
    return entry;
  }

  /** Drops what ends with a session: its triggers, whose providers are told, and its types, whose triggers are parked. */
  removeOwner(remote: Remote): void {
    for (const { id } of [...(this.#ofOwner.get(remote)?.values() ?? [])]) this.remove(id);
    this.#ofOwner.delete(remote);
    for (const type of [...this.#types.values()]) if (type.provider === remote) this.#dropType(type);
  }

  type(id: string): TriggerType | undefined {
    return this.#types.get(id);
  }

  /** In the order of their ids. */
  types(): TriggerType[] {
    return [...this.#types.values()].sort(byId);
  }

  get(id: string): Trigger | undefined {
    return this.#triggers.get(id);
  }

  /** In the order of their ids. */
  triggers(): Trigger[] {
    return [...this.#triggers.values()].sort(byId);
  }

  ofType(id: string): ReadonlySet<Trigger> {
    return this.#ofType.get(id) ?? new Set();
  }

  /** By the id that the owner gave it. */
  ownedBy(owner: Remote | null, peerId: string): Trigger | undefined {
    return this.#ofOwner.get(owner)?.get(peerId);
  }

  #unlink(entry: Entry): void {
    this.#triggers.delete(entry.id);
    this.#ofOwner.get(entry.owner)?.delete(entry.asGiven.id);
    const siblings = this.#ofType.get(entry.triggerType);
    siblings?.delete(entry);
    if (siblings?.size === 0) this.#ofType.delete(entry.triggerType);
    const type = this.#types.get(entry.triggerType);
    if (entry.parked || type === undefined) return;
    type.provider?.send({ type: 'unregistertrigger', id: entry.id, trigger_type: type.peerId });
  }

  #deliver(entry: Entry): void {
    const type = this.#types.get(entry.triggerType);
    if (type === undefined) return;
    const { id, functionId, config, metadata } = entry;
    const frame = { type: 'registertrigger', id, trigger_type: type.peerId, function_id: functionId, config } as const;
    entry.parked = false;
    const sent = type.provider?.send(metadata === undefined ? frame : { ...frame, metadata }) ?? true;
    if (!sent) entry.parked = true;
  }

  #dropType(type: TriggerType & { readonly bytes?: number }): true {
    this.#types.delete(type.id);
    this.#room.give(type.provider, type.bytes ?? 0);
    for (const entry of this.#ofType.get(type.id) ?? []) entry.parked = true;
    return true;
  }

  #typeSet(triggerType: string): Set<Entry> {
    const siblings = this.#ofType.get(triggerType) ?? new Set<Entry>();
    this.#ofType.set(triggerType, siblings);
    return siblings;
  }
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}

function requireId(id: string, what: string): void {
  if (ID.test(id)) return;
  throw failure(
    `The id of the ${what} must have 1 to ${MAX_FUNCTION_ID_CHARS} characters, without control characters or white space at the ends.`,
  );
}

/** Throws when it is larger than one registration may be. */
function measure(...parts: unknown[]): number {
  const bytes = parts.reduce<number>((sum, part) => sum + payloadBytes(encode(part ?? null)), 0);
  if (bytes > MAX_REGISTRATION_BYTES) throw failure(`A registration holds at most ${MAX_REGISTRATION_BYTES} bytes.`);
  return bytes;
}

function noRoom(): GreenroomError {
  return failure('There is no room for more triggers and trigger types.');
}

export function failure(message: string): GreenroomError {
  return GreenroomError.of('trigger_registration_failed', { message });
}
