// What the tests of the guard share: a resolver that answers as they say, servers that count who connects, and the rule of a refusal.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { isIPv6 } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { request } from 'undici';
import type { EgressOptions, Reach } from '../../lib/egress/egress.ts';
import { Guard } from '../../lib/egress/guard.ts';
import type { Lookup } from '../../lib/egress/lookups.ts';
import { GreenroomError } from '../../lib/errors.ts';
import { DEFAULT_LIMITS } from '../../lib/limits.ts';

export type Names = Readonly<Record<string, readonly string[]>>;

/** Closed when the test ends. The environment is empty unless the options hold one. */
export function guardOf(
  t: TestContext,
  options: EgressOptions = {},
  tools: ConstructorParameters<typeof Guard>[2] = {},
): Guard {
  const guard = new Guard({ environment: {}, ...options }, DEFAULT_LIMITS, tools);
  t.after(() => guard.close());
  return guard;
}

/** Answers for these names; no other exists. */
export function resolverOf(names: Names): Lookup {
  return (host, _options, callback) => {
    const addresses = Object.hasOwn(names, host) ? names[host] : undefined;
    const answer = (addresses ?? []).map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
    process.nextTick(callback, addresses === undefined ? error : null, answer);
  };
}

export interface Counted {
  readonly server: Server;
  readonly port: number;
  connections: number;
}

/** A server that answers `hello`, unless told otherwise. */
export async function serve(
  t: TestContext,
  { host = '127.0.0.1', port = 0, onRequest = sayHello }: { host?: string; port?: number; onRequest?: RequestListener },
): Promise<Counted> {
  const server = createServer(onRequest).listen(port, host);
  await once(server, 'listening');
  const counted = { server, port: (server.address() as AddressInfo).port, connections: 0 };
  server.on('connection', () => counted.connections++);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return counted;
}

const sayHello: RequestListener = (_request, response) => void response.end('hello');

/** Sends a request through the agent of one URL; to another URL, if there is one. The text of the answer, the rule of a refusal, or the code of an error. */
export async function get(guard: Guard, url: string, reach: Reach = 'public', elsewhere = url): Promise<string> {
  try {
    const dispatcher = await guard.dispatcher(new URL(url), reach);
    const { body } = await request(elsewhere, { dispatcher });
    const text = await body.text();
    // undici has a connection free for the next request one turn after its answer has been read.
    await new Promise((resolve) => setImmediate(resolve));
    return text;
  } catch (thrown) {
    return problemOf(thrown);
  }
}

/** The rule that refused, else the code; the host, if nothing was refused. */
export function verdictOf(checked: Promise<URL>): Promise<string> {
  return checked.then(({ hostname }) => hostname, problemOf);
}

export function problemOf(thrown: unknown): string {
  if (thrown instanceof GreenroomError && thrown.code === 'url_validation_failed')
    return String(thrown.details?.['rule']);
  return String((thrown as { code?: unknown }).code ?? thrown);
}
