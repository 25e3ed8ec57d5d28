// What an operator may say of the gateway, as data: credentials, listeners, telemetry, compression. Checked by options-schema.ts.

import type { FilterSource } from './patterns.ts';

/** What a credential may do, once it has been presented. */
export interface CredentialRights {
  /** For logs and listings; unique. */
  readonly name: string;
  /** Patterns of the functions that it may call and see, as they are registered. Default all; the infrastructure ids are always allowed. */
  readonly call?: readonly string[] | undefined;
  /** Patterns of what it may register, functions and trigger types: the ids as registered, with the prefix. Default all. */
  readonly expose?: readonly string[] | undefined;
  /** Stands, with `::`, in front of every function that it registers. Default none. */
  readonly prefix?: string | undefined;
  /** Whether it may register functions that are called over HTTP on this machine. Default false. */
  readonly bridge?: boolean | undefined;
  /** Whether it may use `POST /v1/mcp`, for the functions that it may call. Default false. */
  readonly mcp?: boolean | undefined;
  /** Of each of its sessions; at most, and by default, what the runtime's limits say. */
  readonly limits?:
    { readonly maxCallsInFlight?: number | undefined; readonly maxFunctions?: number | undefined } | undefined;
}

export interface CredentialOptions extends CredentialRights {
  /** The bearer token: 1 to 512 visible ASCII characters, unlike every other's. */
  readonly token: string;
}

/** A path of its own, `/v1/gateway/NAME`, on which functions decide who may do what. */
export interface ListenerOptions {
  /** Decides who is let in and what they may do. Default: the bearer token decides, as on the main path. */
  readonly authFunctionId?: string | undefined;
  /** What may be called, beside what the auth function allows. As soon as it, the auth function or a hook is set, nothing else may be. */
  readonly exposeFunctions?: readonly FilterSource[] | undefined;
  /** Called instead of every function that is not the runtime's own. */
  readonly middlewareFunctionId?: string | undefined;
  /** Asked before anything is registered; what they answer is registered instead. */
  readonly onFunctionRegistrationFunctionId?: string | undefined;
  readonly onTriggerRegistrationFunctionId?: string | undefined;
  readonly onTriggerTypeRegistrationFunctionId?: string | undefined;
}

export interface GatewayOptions<Credential extends CredentialRights = CredentialOptions> {
  /** Who may connect beside the holder of the runtime's own token. None of them has any right on the REST routes. */
  readonly credentials?: readonly Credential[] | undefined;
  /** By name: 1 to 64 of a-z, 0-9 and -. */
  readonly listeners?: Readonly<Record<string, ListenerOptions>> | undefined;
  /** The base URL of a collector that takes OTLP as JSON over HTTP. Default: telemetry of remotes is discarded. */
  readonly otlpEndpoint?: string | undefined;
  /** Whether frames may be compressed. Default false: it costs memory for every session. */
  readonly perMessageDeflate?: boolean | undefined;
}
