// Ways to have a question answered by an HTTP server in another process: undici as it is, and a function over HTTP, called as an embedding
// Backend would call it. Each starts a server of its own.

import { Pool } from 'undici';
import { createRuntime } from '../../lib/index.ts';
import { processUrl, spawnServer } from '../support/child.ts';
import { closeRuntime } from '../support/runtime.ts';
import type { Contender } from './contender.ts';

export const IN_FLIGHT = 64;
const FUNCTION_ID = 'bench::http-echo';
const CALL_WITHIN_MS = 20_000;

const openEcho = () => spawnServer<{ url: string }>(processUrl('http-echo'), []);

/** As many connections as questions are in flight, and the answer decoded: what a caller without us would write. */
export const bareUndici: Contender = {
  name: 'undici, bare',
  start: async () => {
    const echo = await openEcho();
    const pool = new Pool(echo.ready.url, { connections: IN_FLIGHT, pipelining: 1 });
    const headers = { 'content-type': 'application/json' };
    return {
      ask: async (question) => {
        const { body } = await pool.request({ method: 'POST', path: '/', headers, body: JSON.stringify(question) });
        return body.json();
      },
      close: async () => {
        await pool.close();
        await echo.close();
      },
    };
  },
};

/** The guard looks at every call, as it does for any function. */
export const httpFunction: Contender = {
  name: 'greenroom, function over HTTP',
  start: async () => {
    const echo = await openEcho();
    const runtime = await createRuntime({ actors: [], hosts: 1, http: { allowAddresses: ['127.0.0.0/8'] } });
    await runtime.registerFunction(FUNCTION_ID, { url: echo.ready.url });
    return {
      ask: (question) => runtime.invoke(FUNCTION_ID, question, { timeoutMs: CALL_WITHIN_MS }),
      close: async () => {
        await closeRuntime(runtime);
        await echo.close();
      },
    };
  },
};
