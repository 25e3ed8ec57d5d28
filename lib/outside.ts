// What a runtime calls outside of itself, put together: where requests may go, who sends them, functions over HTTP, and sources. Nothing of
// it loads a library before it is used.

import { Guard } from './egress/guard.ts';
import type { Egress, EgressOptions } from './egress/egress.ts';
import type { Functions } from './functions/registry.ts';
import { BackendFunctions } from './http/backend.ts';
import { UndiciClient } from './http/client.ts';
import { HttpFunctions } from './http/functions.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './observe/log.ts';
import type { HttpFunctionDocument } from './protocol/http-function.ts';
import { Sources } from './sources/sources.ts';
import type { SourceType } from './sources/source.ts';

export interface OutsideOptions {
  /** Where functions over HTTP and sources may send requests, and with which secrets. Default: to public addresses, with none. */
  readonly http?: EgressOptions | undefined;
  /** Functions over HTTP by their ids, each as `PUT /v1/functions/{id}` takes it. One that cannot be registered ends the start. Default none. */
  readonly functions?: Readonly<Record<string, HttpFunctionDocument>> | undefined;
}

interface OutsideParts {
  readonly functions: Functions;
  readonly limits: Limits;
  readonly log: Logger;
  checkPayload(bytes: Uint8Array): void | Promise<void>;
}

export class Outside {
  readonly egress: Egress;
  readonly http: HttpFunctions;
  readonly backend: BackendFunctions;
  readonly sources: Sources;
  readonly #functions: unknown;

  /** Throws `invalid_option`. */
  constructor({ http = {}, functions = {} }: OutsideOptions, parts: OutsideParts) {
    const { limits } = parts;
    this.egress = new Guard(http, limits);
    const client = new UndiciClient({ egress: this.egress, limits });
    this.http = new HttpFunctions({ ...parts, egress: this.egress, client });
    this.backend = new BackendFunctions({ ...parts, http: this.http });
    this.#functions = functions;
    this.sources = new Sources({ ...parts, loadType });
  }

  /** Registers the functions of the options. Rejects with `invalid_option`. */
  async open(): Promise<void> {
    await this.backend.registerAll(this.#functions);
  }

  /** Settles every call that is under way. */
  async close(): Promise<void> {
    await this.sources.close();
    await this.egress.close();
  }
}

/** Types of sources, each loaded when the first source of it is made. */
async function loadType(_type: string): Promise<SourceType | null> {
  return null;
}
