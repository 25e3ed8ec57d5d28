// A gateway whose registrations over HTTP end when and how the test says: what stands in for the real thing claims first, like it, then looks,
// and publishes or leaves everything as it was.

import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import type { HttpRegistration } from '../../lib/http/functions.ts';
import type { Runtime } from '../../lib/runtime.ts';
import { startGateway } from './raw-peer.ts';
import type { Frame, GatewaySetup, PeerOptions, RawPeer } from './raw-peer.ts';

export interface FakeHttp {
  /** What it was asked to register, oldest first. */
  readonly asked: HttpRegistration[];
  /** Registrations that have ended, however. */
  ended: number;
  /** Calls that it answers, by the tag of the definition that took them. */
  readonly calls: string[];
  /** Lets every lookup of `{wait: true}` go on. */
  open: () => void;
  /** Lets every call of `{hold: true}` be answered. */
  answer: () => void;
}

/** An `invocation` is `{tag, wait?, hold?, fail?}`: a call answers with the tag; `fail` is the code that the registration ends with. */
interface Definition {
  readonly tag?: string;
  readonly wait?: boolean;
  readonly hold?: boolean;
  readonly fail?: ErrorCode;
}

export function fakeHttp({ functions, outside }: Runtime): FakeHttp {
  let open!: () => void;
  let answer!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const fake: FakeHttp = { asked: [], ended: 0, calls: [], open, answer };
  outside.http.register = async (registration, signal) => {
    const { owner, spec, group, invocation } = registration;
    fake.asked.push(registration);
    const { tag = '', wait, hold, fail } = invocation as Definition;
    const claim = functions.claim(owner, spec.functionId);
    try {
      if (wait === true) await Promise.race([opened, aborted(signal)]);
      if (fail !== undefined) throw GreenroomError.of(fail);
      const serve = async (): Promise<string> => {
        fake.calls.push(tag);
        if (hold === true) await answered;
        return JSON.stringify(tag);
      };
      return claim.publish(spec, { server: { serve }, group });
    } finally {
      claim.release();
      fake.ended++;
    }
  };
  return fake;
}

/** As the real one rejects. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(GreenroomError.of('cancelled')), { once: true }),
  );
}

export const isRejected = ({ type }: Frame): boolean => type === 'registrationrejected';
export const bearer = (token: string): PeerOptions => ({ headers: { authorization: `Bearer ${token}` } });
export const hint = (name: string): object => ({ metadata: { iii: { generatedWorker: name } } });

/** A server with credentials that may bridge and may not, and listeners whose functions are called `door` and `hook`. */
export async function startBridging(t: TestContext, setup: GatewaySetup = {}) {
  const credentials = [
    { name: 'bridge', token: 'bridge-token', bridge: true, prefix: 'b', expose: ['b::f*'] },
    { name: 'plain', token: 'plain-token' },
  ];
  const listeners = {
    open: { authFunctionId: 'door' },
    hooked: { onFunctionRegistrationFunctionId: 'hook', exposeFunctions: ['*'] },
  };
  const edge = await startGateway(t, { ...setup, gateway: { credentials, listeners } });
  const http = fakeHttp(edge.runtime);
  /** Sends a registration over HTTP, which is handled when `peer.fence()` is through. */
  const register = (peer: RawPeer, id: string, invocation: object = {}, more: object = {}): void =>
    peer.send({ type: 'registerfunction', id, invocation, ...more });
  const groups = (): string[] =>
    edge.runtime.peers.summaries().flatMap((peer) => (peer.origin === 'group' ? [peer.workerId] : []));
  return { ...edge, http, register, groups };
}
