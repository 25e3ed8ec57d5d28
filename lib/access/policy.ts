// The contract of policies: what one connection may do. Made when its socket is accepted, from its credential or by functions that an
// operator has named; nothing that a peer sends can change it.

import type { GreenroomError } from '../errors.ts';

/** The fields of a registration that a hook may look at and rewrite. */
export type Registration =
  | {
      readonly kind: 'function';
      readonly functionId: string;
      readonly description: string | null;
      readonly metadata: unknown;
    }
  | {
      readonly kind: 'trigger';
      readonly triggerId: string;
      readonly triggerType: string;
      readonly functionId: string;
      readonly config: unknown;
      readonly metadata: unknown;
    }
  | { readonly kind: 'trigger_type'; readonly triggerType: string; readonly description: string };

export interface Policy {
  /** Of the credential or the listener, for logs and listings. */
  readonly name: string;
  /** Whether its sessions may register functions that are called over HTTP on this machine. */
  readonly mayBridge: boolean;
  readonly maxCallsInFlight: number;
  readonly maxFunctions: number;
  /** The id under which a function that the peer calls `functionId` is registered, released and bound: with the prefix. */
  toRegistered(functionId: string): string;
  /** The other way: what the peer calls it. */
  toPeer(registeredId: string): string;
  /** Null if it may call the function; else `forbidden`. `metadata` is that of the function. */
  callRefusal(functionId: string, metadata: unknown): GreenroomError | null;
  /** Null if it may see the function in listings. */
  listRefusal(functionId: string, metadata: unknown): GreenroomError | null;
  /**
   * Null if it may register a function that it calls `functionId`, as far as that is known before a hook is asked; else `forbidden`. Who
   * may not learns nothing of who has the id.
   */
  registerRefusal(functionId: string): GreenroomError | null;
  /**
   * Takes a registration with the ids that the peer gave, and hands back what is to be registered: its `functionId` is then the
   * registered id, prefix and all, not to be passed through `toRegistered` again. With hooks a promise. Throws or rejects with `forbidden`.
   * Whether the target of a trigger may be called is known when it fires: then `callRefusal` is asked, unless the session serves the
   * function itself.
   */
  admit<R extends Registration>(registration: R): R | Promise<R>;
  /**
   * The function that the peer calls `functionId` is registered under the id that `admit` made of it. Until then the policy knows it as before:
   * a registration may still fail after it was admitted.
   */
  remember(functionId: string, registeredId: string): void;
  /** The peer has given up the function that it calls `functionId`: what a hook made of that id is forgotten. */
  forget(functionId: string): void;
  /** Called instead of a function that is not the runtime's own; null: the function itself is called. */
  readonly middlewareFunctionId: string | null;
  /** What an auth function gave for hooks and middleware. */
  readonly context: unknown;
}
