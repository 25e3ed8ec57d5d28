// Remotes over WebSocket: the sessions that are open, the place in the registry that each takes and leaves, and how one takes the place of
// another. Knows sockets, but no HTTP: the edge has checked who connects, and hands over a socket with the policy of its credential.

import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { WebSocket } from 'ws';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { FunctionOwner } from '../functions/function.ts';
import { LOST_PEERS_KEPT } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Asked } from './asked.ts';
import { HANDSHAKE_TIMEOUT_MS, MAX_COMPLAINTS, PING_INTERVAL_MS, REFUSAL_LOG_MS } from './bounds.ts';
import { registerEngineFunctions } from '../engine/engine.ts';
import { toErrorBody } from '../protocol/error-body.ts';
import type { Policy } from '../access/policy.ts';
import type { DisconnectReason, GatewayParts, GatewayServices } from './services.ts';
import { Session } from './session.ts';
import { isTelemetry } from './telemetry.ts';
import { reachOf } from './trust.ts';
import type { Remote } from '../engine/remote.ts';
import { Triggers } from '../engine/triggers.ts';
import { Wire } from './wire.ts';

/** A session that has gone and may be succeeded: its token, and the calls that nobody has answered to it. */
interface Lost {
  readonly token: string;
  readonly orphans: readonly Asked[];
}

/** What is known of who is behind a socket. */
export interface Upgrade<P = Policy | Promise<Policy>> {
  readonly policy: P;
  /** See trust.ts. */
  readonly isForwarded: boolean;
}

export class Gateway {
  readonly #parts: GatewayParts;
  readonly #services: GatewayServices;
  readonly #sessions = new Map<string, Session>();
  /** The latest, oldest first. */
  readonly #lost = new Map<string, Lost>();
  /** Of sockets that only bring telemetry. */
  readonly #telemetryWires = new Set<Wire>();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #triggers: Triggers;
  /** Owns the runtime's own functions. */
  readonly #engine: FunctionOwner;
  #isClosed = false;
  /** Peers that were not let in after their upgrade, and when that was last logged. */
  #refused = 0;
  #refusedAtMs = -Infinity;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    const { limits, log, functions, peers, version, createChannel } = parts;
    this.#triggers = new Triggers({ functions, log, invocationTimeoutMs: limits.invocationTimeoutMs });
    this.#engine = registerEngineFunctions({
      functions,
      peers,
      triggers: this.#triggers,
      maxMessageBytes: limits.maxMessageBytes,
      version,
      startedAtMs: Date.now(),
      log,
      sessionOf: (workerId) => this.#sessions.get(workerId),
      createChannel,
    });
    this.#services = {
      ...parts,
      triggers: this.#triggers,
      checkPayload: (bytes) => parts.checkPayload(bytes),
      ledger: { heldBytes: 0, maxTotalBytes: limits.maxTotalBytes },
      isConnected: (remote) => this.#sessions.has(remote.ownerId),
      reattach: (remote, previousWorkerId, token) => this.#reattach(remote, previousWorkerId, token),
      ended: ({ ownerId }) => this.#ended(ownerId),
      reportInternal: (error) => log.error(describeError(error.cause ?? error), 'a call failed'),
    };
    this.#heartbeat = setInterval(() => {
      for (const session of [...this.#sessions.values()]) session.ping();
      for (const wire of this.#telemetryWires) if (wire.ping() !== null) wire.terminate();
    }, PING_INTERVAL_MS);
    this.#heartbeat.unref();
  }

  /** Whether another remote may connect. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#sessions.size < this.#parts.limits.maxRemotes;
  }

  /**
   * Takes over a socket whose upgrade has just been accepted. What arrives before the policy is known waits, unread; a policy that is
   * refused or does not come in time ends the socket with an `error` frame.
   */
  accept(socket: WebSocket, transport: Socket, upgrade: Upgrade): void {
    const { policy } = upgrade;
    const wire = new Wire(socket, transport, this.#parts.limits.maxMessageBytes);
    // Without a listener an error of the socket would end the process.
    socket.on('error', () => undefined);
    const open = (known: Policy): Session | null => this.#open(socket, wire, { ...upgrade, policy: known });
    if (!(policy instanceof Promise)) return void open(policy);
    socket.pause();
    const early: Buffer[] = [];
    const keep = (data: Buffer): void => void early.push(data);
    socket.on('message', keep);
    void withDeadline(policy).then(
      (known) => {
        socket.off('message', keep);
        if (!this.hasRoom) return refuse(wire, GreenroomError.of('runtime_overloaded'), TRY_AGAIN_LATER);
        const session = open(known);
        // Before what came early: the first of it may make the socket wait again.
        socket.resume();
        for (const data of early) session?.receive(data);
      },
      (thrown: unknown) => {
        this.#logRefusal(wire, thrown);
        refuse(wire, unauthorized(thrown), POLICY_VIOLATION);
      },
    );
  }

  /** One line in a second, with how many there were: clients that are refused try again for ever. */
  #logRefusal({ remoteAddress: address }: Wire, thrown: unknown): void {
    this.#refused++;
    const nowMs = performance.now();
    if (nowMs - this.#refusedAtMs < REFUSAL_LOG_MS) return;
    this.#refusedAtMs = nowMs;
    const { cause } = thrown as { cause?: unknown };
    const code = cause instanceof GreenroomError ? cause.code : asGreenroomError(thrown).code;
    this.#parts.log.warn({ address, code, refused: this.#refused }, 'a remote was not let in');
  }

  /** Whether a remote is connected from there. */
  isKnownAddress(address: string | undefined): boolean {
    if (address === undefined) return false;
    for (const session of this.#sessions.values()) if (session.address === address) return true;
    return false;
  }

  /** A socket that brings telemetry and gets nothing. A frame above the limit is dropped. */
  acceptTelemetry(socket: WebSocket, transport: Socket): void {
    const wire = new Wire(socket, transport, this.#parts.limits.maxMessageBytes);
    this.#telemetryWires.add(wire);
    socket.on('error', (error: Error & { code?: string }) => {
      // Its close says everything else, and comes in any case.
      if (reasonOf(error)[0] !== 'payload_too_large') return;
      const { remoteAddress: address } = wire;
      const fields = { address, reason: 'payload_too_large', limit_bytes: this.#parts.limits.maxFrameBytes };
      this.#parts.log.warn(fields, 'a telemetry socket was ended');
    });
    socket.once('close', () => this.#telemetryWires.delete(wire));
    const take = this.#telemetryTaker(wire);
    socket.on('message', (data: Buffer, isBinary: boolean) => void (isBinary && take(data)));
  }

  /** For the binary frames of one socket: false when one is no telemetry. What is above the limit is dropped alone. */
  #telemetryTaker(wire: Wire): (data: Buffer) => boolean {
    const { telemetry, limits, log } = this.#parts;
    let complaints = 0;
    return (data) => {
      if (data.length <= limits.maxMessageBytes) return telemetry.receive(data);
      if (!isTelemetry(data)) return false;
      if (complaints++ >= MAX_COMPLAINTS) return true;
      log.warn(
        { address: wire.remoteAddress, payload_bytes: data.length, limit_bytes: limits.maxMessageBytes },
        'telemetry above the limit was dropped',
      );
      return true;
    };
  }

  /** Tells every remote and ends them all. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    for (const session of [...this.#sessions.values()]) session.end('shutdown', GOING_AWAY);
    this.#triggers.close();
    void this.#parts.telemetry.close();
    this.#parts.functions.releaseAll(this.#engine);
  }

  #open(socket: WebSocket, wire: Wire, { policy, isForwarded }: Upgrade<Policy>): Session | null {
    if (!wire.isOpen) return null;
    const reach = reachOf({ address: wire.remoteAddress, isForwarded }, policy);
    const session = new Session(wire, { policy, reach }, this.#services);
    this.#sessions.set(session.ownerId, session);
    this.#parts.peers.add(session);
    this.#triggers.workerChanged('worker_connected', session.ownerId);
    const takeTelemetry = this.#telemetryTaker(wire);
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary && takeTelemetry(data)) return;
      session.receive(data);
    });
    socket.on('error', (error: Error & { code?: string }) => session.end(...reasonOf(error)));
    socket.on('close', (code) => {
      session.end(wire.isOverrun ? 'slow_reader' : ORDERLY.has(code) ? 'closed' : 'lost');
    });
    session.send({ type: 'workerregistered', worker_id: session.ownerId, reattach_token: session.reattachToken });
    const { remoteAddress: address } = wire;
    this.#parts.log.info({ worker_id: session.ownerId, address, policy: policy.name }, 'a remote has connected');
    return session;
  }

  /** The one that had the token first: it is ended, everything of it is cleaned up, and only then the replay of its successor is read. */
  #reattach(remote: Remote, previousWorkerId: string, token: string | null): void {
    const previous = this.#sessions.get(previousWorkerId);
    if (previous !== undefined && previous !== remote && isSame(previous.reattachToken, token))
      previous.end('replaced');
    const lost = this.#lost.get(previousWorkerId);
    if (lost === undefined || !isSame(lost.token, token)) return;
    this.#lost.delete(previousWorkerId);
    const error = toErrorBody(GreenroomError.of('invocation_stopped', { message: 'Invocation stopped' }));
    for (const { invocationId, functionId } of lost.orphans) {
      remote.send({ type: 'invocationresult', invocation_id: invocationId ?? '', function_id: functionId, error });
    }
  }

  /** The last step of a session's end. */
  #ended(workerId: string): void {
    const session = this.#sessions.get(workerId);
    if (session === undefined) return;
    this.#lost.set(session.ownerId, { token: session.reattachToken, orphans: session.asked.orphans() });
    const [oldest] = this.#lost.keys();
    if (this.#lost.size > LOST_PEERS_KEPT && oldest !== undefined) this.#lost.delete(oldest);
    this.#sessions.delete(session.ownerId);
    this.#triggers.sessionEnded(session);
    this.#parts.closeChannels(session.ownerId);
    this.#parts.peers.remove(session);
    this.#triggers.workerChanged('worker_disconnected', session.ownerId);
  }
}

const POLICY_VIOLATION = 1008;
const TRY_AGAIN_LATER = 1013;
const GOING_AWAY = 1001;
const TOO_BIG = 1009;
const PROTOCOL_ERROR = 1002;
/** Close codes of a peer that meant to go: normal, going away, none given. */
const ORDERLY = new Set([1000, 1001, 1005]);

function reasonOf({ code = '' }: { code?: string }): [DisconnectReason, number?] {
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return ['payload_too_large', TOO_BIG];
  // The socket has told its peer what was wrong before it says so here.
  return code.startsWith('WS_ERR_') ? ['protocol_error', PROTOCOL_ERROR] : ['lost'];
}

function isSame(secret: string, given: string | null): boolean {
  const [expected, presented] = [Buffer.from(secret), Buffer.from(given ?? '')];
  return expected.length === presented.length && timingSafeEqual(expected, presented);
}

function refuse(wire: Wire, error: GreenroomError, closeCode: number): void {
  wire.send({ type: 'error', error: toErrorBody(error) });
  wire.close(closeCode, error.code);
}

function unauthorized(thrown: unknown): GreenroomError {
  const isOurs = thrown instanceof GreenroomError && ['unauthorized', 'forbidden', 'timeout'].includes(thrown.code);
  return GreenroomError.of('unauthorized', {
    message: isOurs ? thrown.message : 'The credential could not be checked.',
    cause: thrown,
  });
}

/** Rejects with `timeout` when the policy does not come in time. */
function withDeadline(policy: Promise<Policy>): Promise<Policy> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(GreenroomError.of('timeout')), HANDSHAKE_TIMEOUT_MS);
    policy.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
