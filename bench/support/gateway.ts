// A runtime with the gateway in this process, as an embedding Backend would have it, and calls of what remotes have registered.

import { randomBytes } from 'node:crypto';
import { createRuntime } from '../../lib/index.ts';
import type { Limits, Runtime } from '../../lib/index.ts';
import { startServer } from '../../lib/server/index.ts';
import { closeRuntime } from './runtime.ts';

/** Where a remote connects, and with what. */
export interface Address {
  readonly url: string;
  readonly token: string;
}

export interface OpenGateway {
  readonly runtime: Runtime;
  readonly address: Address;
  /** What the function answers, decoded. */
  call(functionId: string, input: unknown): Promise<unknown>;
  close(): Promise<void>;
}

const CALL_WITHIN_MS = 20_000;
const TOKEN_BYTES = 16;

export async function openGateway(limits: Partial<Limits> = {}): Promise<OpenGateway> {
  const runtime = await createRuntime({ actors: [], hosts: 1, limits });
  const token = randomBytes(TOKEN_BYTES).toString('hex');
  const server = await startServer({ runtime, token, gateway: {} });
  return {
    runtime,
    address: { url: `${server.url.replace('http', 'ws')}/v1/gateway`, token },
    call: (functionId, input) => runtime.invoke(functionId, input, { timeoutMs: CALL_WITHIN_MS }),
    close: async () => {
      await server.close();
      await closeRuntime(runtime);
    },
  };
}
