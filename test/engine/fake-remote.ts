// A remote without a socket: what it is sent can be read, and what its credential allows is given by the test.

import type { FunctionOwner } from '../../lib/functions/function.ts';
import type { OutgoingFrame } from '../../lib/protocol/remote-frames.ts';
import type { Policy } from '../../lib/access/policy.ts';
import type { Remote } from '../../lib/engine/remote.ts';
import type { RemoteProfile } from '../../lib/engine/remote.ts';

export interface FakeRemote extends Remote {
  readonly sent: OutgoingFrame[];
  /** Everything that it was sent since the last look. */
  take(): OutgoingFrame[];
  readonly profile: RemoteProfile;
  /** From now on nothing can be sent to it. */
  isClosed: boolean;
}

export function policyOf(given: Partial<Policy> = {}): Policy {
  return {
    name: 'test',
    mayBridge: false,
    maxCallsInFlight: 10,
    maxFunctions: 10,
    toRegistered: (functionId) => functionId,
    toPeer: (functionId) => functionId,
    registerRefusal: () => null,
    callRefusal: () => null,
    listRefusal: () => null,
    admit: (registration) => registration,
    remember: () => undefined,
    forget: () => undefined,
    middlewareFunctionId: null,
    context: null,
    ...given,
  };
}

export function fakeRemote(
  ownerId: string,
  given: Partial<Policy> = {},
  serve: FunctionOwner['serve'] = async () => 'null',
): FakeRemote {
  const remote: FakeRemote = {
    ownerId,
    origin: 'remote',
    name: ownerId,
    policy: policyOf(given),
    serve,
    sent: [],
    take: () => remote.sent.splice(0),
    profile: {
      name: ownerId,
      description: null,
      runtime: null,
      version: null,
      os: null,
      pid: null,
      isolation: null,
    },
    isClosed: false,
    send: (frame) => {
      if (!remote.isClosed) remote.sent.push(frame);
      return !remote.isClosed;
    },
  };
  return remote;
}
