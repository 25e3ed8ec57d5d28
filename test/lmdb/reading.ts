// A process of its own that opens the store it is given and prints what is read of it: what damage does to it, it does to nobody else.

import { writeSync } from 'node:fs';
import { readStore } from './populated.ts';

const [, , path = ''] = process.argv;
try {
  writeSync(1, JSON.stringify([...(await readStore(path))]));
} catch (thrown) {
  writeSync(2, `${String((thrown as { code?: unknown }).code)}\n`);
  process.exitCode = 1;
}
