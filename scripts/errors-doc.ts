// Writes ERRORS.md from lib/error-table.ts: after a build, `node dist/scripts/errors-doc.js`. A test compares the
// file with what this would write, so a changed table without a changed file does not pass.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ERRORS } from '../lib/errors.ts';
import type { ErrorCode } from '../lib/errors.ts';

/** Areas in the order of the table; each begins with the code that is named here. */
const AREAS: Partial<Record<ErrorCode, string>> = {
  invalid_json: 'The request',
  worker_busy: 'The state of a worker',
  runtime_overloaded: 'The state of the runtime',
  actor_error: 'Outcomes of an accepted input',
  forbidden: 'Calls of functions',
  url_validation_failed: 'Functions over HTTP, sources and channels',
  transcript_trimmed: 'What is kept',
  invalid_option: 'Starting up',
};

/** Codes that were once given out and mean something else, or nothing, today. None may be used again. */
const RETIRED: readonly string[] = [];

const HEADER = `# Errors

Every error that leaves Greenroom is a row of this page, or carries a code that an actor chose for itself. In process it is
a \`GreenroomError\`; over HTTP it is the body of the answer:

\`\`\`json
{ "error": { "code": "worker_not_found", "message": "There is no worker c1.", "retryable": false } }
\`\`\`

- Match on \`code\`. Messages are for people and may change.
- \`retryable: true\` means that the same call may succeed later without being changed. \`details.retry_after_ms\` and the
  \`Retry-After\` header say when, where that is known.
- \`details\` is absent, or an object. It never holds a path, a stack, a credential or the value that was refused.
- An input that was accepted ends with an outcome. Unless it is \`completed\`, the outcome carries an error of this page or of
  the actor. An input that was refused never ran.

This page is written by \`node dist/scripts/errors-doc.js\` from \`lib/error-table.ts\`. Change the table, not the page.
`;

const ACTORS = `## Codes that actors choose

An actor refuses with \`throw new ActorError('insufficient_funds', 'The balance is too low.', { details: { balance: 3 } })\`.
Code, message, \`retryable\` and \`details\` reach the caller as they are, within the limits on their length. The input ends as
\`failed\`; where the error is an answer of its own, its HTTP status is 422.

- A code is \`lower_snake_case\`, 1 to 64 characters. Choose one that is not on this page: callers could not tell yours from
  the runtime's.
- What is thrown without such a code (a \`TypeError\`, an \`ENOENT\`) reaches the caller as \`actor_error\`, without its message.
  The log of the runtime has its name and its message, with paths taken out.
`;

export function errorsDoc(): string {
  const areas: string[] = [];
  for (const [code, { status, retryable, message, remedy }] of Object.entries(ERRORS)) {
    const title = AREAS[code as ErrorCode];
    if (title !== undefined) {
      areas.push(
        `## ${title}\n\n| code | HTTP | retryable | meaning | what to do |\n| --- | --- | --- | --- | --- |\n`,
      );
    }
    const row = `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${cell(message)} | ${cell(remedy)} |\n`;
    areas[areas.length - 1] += row;
  }
  const retired = RETIRED.length === 0 ? 'None.' : RETIRED.map((code) => `\`${code}\``).join(', ');
  return [HEADER, ...areas, ACTORS, `## Retired codes\n\n${retired}\n`].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL('../../ERRORS.md', import.meta.url), errorsDoc()); // this file runs from dist/scripts
}
