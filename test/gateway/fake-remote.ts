// A remote without a socket: what it is sent can be read, and what its credential allows is given by the test.

import type { FunctionOwner } from '../../lib/functions/function.ts';
import type { SelfDescription } from '../../lib/gateway/engine-function.ts';
import type { OutgoingFrame } from '../../lib/gateway/frames.ts';
import type { Policy, Remote } from '../../lib/gateway/remote.ts';

export interface FakeRemote extends Remote {
  readonly sent: OutgoingFrame[];
  /** Everything that it was sent since the last look. */
  take(): OutgoingFrame[];
  /** What it said of itself, in order. */
  readonly described: SelfDescription[];
  describe(self: SelfDescription): void;
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
    callRefusal: () => null,
    listRefusal: () => null,
    admit: (registration) => registration,
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
    described: [],
    describe: (self) => void remote.described.push(self),
    isClosed: false,
    send: (frame) => {
      if (!remote.isClosed) remote.sent.push(frame);
      return !remote.isClosed;
    },
  };
  return remote;
}
