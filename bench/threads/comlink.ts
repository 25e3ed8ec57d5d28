// Echoes over comlink.

import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeAdapter from 'comlink/dist/umd/node-adapter.js';

/** The module is the function, whatever its types say. */
const nodeEndpoint = nodeAdapter as unknown as typeof nodeAdapter.default;

if (parentPort === null) throw new Error('runs in a thread only');
expose({ echo: (value: unknown) => value }, nodeEndpoint(parentPort));
