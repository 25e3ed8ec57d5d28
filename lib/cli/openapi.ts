// `greenroom openapi`: the document of `GET /v1/openapi.json`, without a runtime.

import { describeApi } from '../server/openapi-document.ts';

/** Resolves to the exit code once it is written. */
export function printApi(version: string): Promise<number> {
  const text = `${JSON.stringify(describeApi(version), null, 2)}\n`;
  // To a pipe it is written later, and the process ends with the command.
  return new Promise((resolve) => process.stdout.write(text, () => resolve(0)));
}
