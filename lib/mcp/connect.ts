// One attempt at a connection: the transport, and the handshake in the protocol that the server speaks, within one deadline.

import { Client } from '@modelcontextprotocol/client';
import type { Transport } from '@modelcontextprotocol/client';
import { GreenroomError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { orAborted } from '../protocol/waits.ts';
import { PROBE_TIMEOUT_MS } from './bounds.ts';

export interface ConnectParts {
  /** Of the source, for the log. */
  readonly name: string;
  readonly log: Logger;
  /** Of the runtime. */
  readonly version: string;
  /** Whether each transport is a process of its own. */
  readonly isProcess: boolean;
  readonly openTransport: (signal: AbortSignal) => Promise<Transport>;
  readonly onToolsChanged: () => void;
}

/** A connection that is open, or was. */
export interface Live {
  readonly client: Client;
  readonly transport: Transport;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

/**
 * Rejects with what is wrong, or with the reason of the signal, once nothing is left of the attempt. May be asked again: `memory` keeps what
 * has been learnt of the server.
 */
export async function connect(parts: ConnectParts, memory: { isOlder: boolean }, signal: AbortSignal): Promise<Live> {
  if (memory.isOlder) return open(parts, { isOlder: true, signal });
  try {
    return await open(parts, { isOlder: false, signal });
  } catch (thrown) {
    // Some processes end when they are asked whether they speak the newer protocol, which they then do not. What is ours has another cause.
    if (!parts.isProcess || thrown instanceof GreenroomError) throw thrown;
    const live = await open(parts, { isOlder: true, signal });
    memory.isOlder = true;
    return live;
  }
}

async function open(
  parts: ConnectParts,
  { isOlder, signal }: { readonly isOlder: boolean; readonly signal: AbortSignal },
): Promise<Live> {
  const client = createClient(parts);
  const ended = new Promise<void>((resolve) => (client.onclose = resolve));
  let transport: Transport | null = null;
  try {
    transport = await orAborted(parts.openTransport(signal), signal);
    await orAborted(client.connect(transport, isOlder ? { prior: { kind: 'legacy' } } : {}), signal);
    return { client, transport, ended };
  } catch (thrown) {
    // Both: what failed halfway may not know its transport yet.
    await Promise.allSettled([client.close(), transport?.close()]);
    throw thrown;
  }
}

function createClient({ name, log, version, onToolsChanged }: ConnectParts): Client {
  const client = new Client(
    { name: 'greenroom', version },
    {
      // Nothing is offered: nobody here could answer for a user, or for a model.
      capabilities: {},
      inputRequired: { autoFulfill: false },
      versionNegotiation: { mode: 'auto', probe: { timeoutMs: PROBE_TIMEOUT_MS } },
      // Its own pause begins anew with every change: a server that changes all the time would never be heard.
      listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: onToolsChanged } },
    },
  );
  client.onerror = (error) => {
    // Not the message: the library puts into it what the server has sent.
    log.debug({ source: name, error_name: describeError(error).error_name }, 'the connection to an MCP server');
  };
  return client;
}
