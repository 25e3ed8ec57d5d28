// The runtime's own functions over a real registry, with sessions that are described instead of connected.

import type { TestContext } from 'node:test';
import type { FunctionCall, FunctionOwner } from '../../lib/functions/function.ts';
import { Peers } from '../../lib/functions/peers.ts';
import { Functions } from '../../lib/functions/registry.ts';
import { registerEngineFunctions } from '../../lib/engine/engine.ts';
import type { EngineParts } from '../../lib/engine/engine.ts';
import type { Policy } from '../../lib/access/policy.ts';
import { Triggers } from '../../lib/engine/triggers.ts';
import type { PeerView } from '../../lib/protocol/views.ts';
import { recordLog } from '../support/start-runtime.ts';
import { fakeRemote } from './fake-remote.ts';
import type { FakeRemote } from './fake-remote.ts';

export const CONNECTED_AT = '2026-01-02T03:04:05.678Z';

export function setUpEngine(t: TestContext, given: Partial<EngineParts> = {}) {
  const functions = new Functions();
  const peers = new Peers();
  const { log, lines } = recordLog();
  const triggers = new Triggers({ functions, log, invocationTimeoutMs: 1_000 });
  t.after(() => triggers.close());
  const sessions = new Map<string, FakeRemote>();
  const channels: unknown[] = [];
  const ref = { channel_id: 'c', access_key: 'k' };
  registerEngineFunctions({
    functions,
    peers,
    triggers,
    log,
    maxMessageBytes: 1_000_000,
    version: '1.2.3',
    startedAtMs: 42,
    sessionOf: (workerId) => sessions.get(workerId),
    createChannel: (ownerId, bufferMessages) => {
      channels.push({ ownerId, bufferMessages });
      return { writer: { ...ref, direction: 'write' }, reader: { ...ref, direction: 'read' } };
    },
    ...given,
  });

  /** A session in the listing of workers. */
  const connect = (workerId: string, view: Partial<PeerView> = {}, policy: Partial<Policy> = {}) => {
    const remote = fakeRemote(workerId, policy);
    const peer = {
      workerId,
      view: () => viewOf(remote, functions, view),
      summary: () => viewOf(remote, functions, view),
    };
    sessions.set(workerId, remote);
    peers.add(peer);
    const disconnect = (): void => {
      sessions.delete(workerId);
      view.status = 'disconnected';
      peers.remove(peer);
    };
    return { remote, disconnect };
  };

  const call = async (functionId: string, data?: unknown, more: Partial<FunctionCall> = {}): Promise<unknown> => {
    const payload = JSON.stringify(data ?? null);
    const answer = await functions.call(`engine::${functionId}`, {
      payload,
      metadata: null,
      caller: { workerId: null },
      timeoutMs: 1_000,
      ...more,
    });
    return JSON.parse(answer as string) as unknown;
  };
  /** As the session would ask. */
  const callAs = (workerId: string, functionId: string, data?: unknown) =>
    call(functionId, data, { caller: { workerId } });

  return { functions, peers, triggers, sessions, channels, lines, connect, call, callAs };
}

/** An owner of functions that is not a session. */
export function owner(origin: FunctionOwner['origin'], ownerId: string, name: string | null = ownerId): FunctionOwner {
  return { origin, ownerId, name, serve: async () => 'null' };
}

function viewOf(remote: FakeRemote, functions: Functions, given: Partial<PeerView>): PeerView {
  return {
    workerId: remote.ownerId,
    origin: 'remote',
    kind: null,
    displayName: remote.ownerId,
    status: 'connected',
    createdAt: CONNECTED_AT,
    mailbox: { messages: 0, bytes: 0 },
    functions: functions.countOf(remote),
    runtime: 'node',
    version: '0.22.1',
    connectedAt: CONNECTED_AT,
    inFlight: 3,
    disconnectReason: null,
    description: null,
    os: 'linux',
    pid: 7,
    isolation: null,
    lateResults: 0,
    address: '127.0.0.1',
    refused: [],
    ...given,
  };
}
