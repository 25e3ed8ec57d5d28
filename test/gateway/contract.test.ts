// A remote keeps the contract of every owner of functions.

import { functionsContract } from '../contract/functions.ts';
import { startGateway } from './raw-peer.ts';
import type { Frame } from './raw-peer.ts';

const LIMIT_BYTES = 1024 * 1024;
const CAPACITY = 4;

functionsContract('a remote', async (t) => {
  const edge = await startGateway(t, { limits: { maxMessageBytes: LIMIT_BYTES, maxCallsInFlight: CAPACITY } });
  const peer = await edge.connect();
  const held = new Set<Frame>();
  const fail = ({ invocation_id, function_id }: Frame, error: object) =>
    peer.send({ type: 'invocationresult', invocation_id, function_id, error });
  peer.socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Frame;
    const { type, invocation_id, function_id } = frame;
    if (type !== 'invokefunction') return;
    if (function_id === 'c::nothing') peer.send({ type: 'invocationresult', invocation_id, function_id });
    if (function_id === 'c::refuse') fail(frame, { code: 'no_such_thing', message: 'There is no such thing.' });
    if (function_id === 'c::fail') fail(frame, { message: 'boom', stacktrace: 'at /somewhere' });
    if (function_id === 'c::hold') held.add(frame);
  });
  await peer.serve('c::echo', ({ data }) => data);
  await peer.serve('c::large', ({ data }) => 'x'.repeat((data as { bytes: number }).bytes));
  for (const name of ['nothing', 'refuse', 'fail', 'hold']) await peer.serve(`c::${name}`);
  return {
    functions: edge.runtime.functions,
    idOf: (name) => `c::${name}`,
    release: () => {
      for (const call of held) peer.answer(call, call.data);
      held.clear();
    },
    capacity: CAPACITY,
    limitBytes: LIMIT_BYTES,
  };
});
