// Functions over HTTP keep the contract of every owner of functions.

import { functionsContract } from '../contract/functions.ts';
import { fakeEgress, sendJson, serveHttp, startFunctions } from './setup.ts';

const LIMIT_BYTES = 1024 * 1024;
const CAPACITY = 4;
const NAMES = ['echo', 'nothing', 'refuse', 'fail', 'large', 'hold'];

functionsContract('functions over HTTP', async (t) => {
  const held = new Set<() => void>();
  const { url } = await serveHttp(t, ({ path, body }, response) => {
    const echo = (): void => void response.end(body);
    if (path === '/echo') echo();
    else if (path === '/nothing') response.end();
    else if (path === '/refuse')
      sendJson(response, { error: { code: 'no_such_thing', message: 'There is no such thing.' } }, 404);
    else if (path === '/fail') sendJson(response, { message: 'boom', stack: 'at /somewhere' }, 500);
    else if (path === '/large') sendJson(response, 'x'.repeat((JSON.parse(body) as { bytes: number }).bytes));
    else held.add(echo);
  });
  // One line for all of them: the capacity of an owner is what its functions share.
  const { register, functions } = startFunctions(fakeEgress(t), {
    maxMessageBytes: LIMIT_BYTES,
    maxHttpCallsPerOrigin: CAPACITY,
  });
  for (const name of NAMES) await register(`c::${name}`, { url: `${url}/${name}` });
  return {
    functions,
    idOf: (name) => `c::${name}`,
    release: () => {
      for (const answer of held) answer();
      held.clear();
    },
    failureCode: 'http_error',
    capacity: CAPACITY,
    limitBytes: LIMIT_BYTES,
  };
});
