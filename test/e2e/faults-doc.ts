// Writes docs/faults.md from the table of faults: after a build, `node dist/test/e2e/faults-doc.js`. A test compares the two.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SECTIONS } from './fault-table.ts';
import type { Fault } from './fault.ts';

const HEADER = `# Faults

What an actor may do that it should not, and what becomes of it. Each row is a test, with real threads and processes, once embedded
(\`node --test dist/test/e2e/faults.test.js\`) and once over REST (\`dist/test/e2e/faults-rest.test.js\`); a few more see a whole process end
afterwards (\`dist/test/e2e/faults-end.test.js\`).

In every row two neighbours share the runtime's only shared host. One has completed inputs and gets more while the fault goes on: each of them
completes exactly once, whatever happens. The other is in the middle of an input.

- **Its caller gets** the code of the error, and \`details.cause\`. \`completed\`: the input had its answer before.
- **Its neighbours** notice nothing; or their host is replaced (*restart*), they come back with their saved state, and what was in the middle ends
  as \`unknown\` with \`host_lost\`, or runs again if its actor says \`onInterrupt: 'retry'\`.
- **The operator reads** the entries of the worker's transcript, and a line in the log with the cause and the worker. A kill has a certificate
  with its verdict in the log, in the entry \`killed\` and in \`GET /v1/hosts/{id}\`. None of it holds a path, a stack or what was sent; what an
  error says is in the log only.
- **Quiet from** is the lowest tier (\`isolation\`) on which no other worker notices.

*Suspects*: no handler was on the stack when the host ended, so that everybody who had begun an input is named, and the worker itself may not be.

This page is written by \`node dist/test/e2e/faults-doc.js\` from the rows behind \`test/e2e/fault-table.ts\`. Change those, not the page.
`;

const FOOTER = `
Not in the table, since nothing short of a process contains it: memory that a thread takes in one step larger than the machine has, a fault of native code
(both end the runtime unless the tier is \`process\`). And nothing contains an actor that means harm: actors of one thread share its globals, so one
that replaces \`JSON.stringify\` does so for its neighbours, and a process runs with the rights of the runtime.
`;

export function faultsPage(): string {
  return HEADER + Object.entries(SECTIONS).map(section).join('') + FOOTER;
}

function section([title, faults]: [string, readonly Fault[]]): string {
  const head =
    '| An actor that | on | Its caller gets | Its neighbours | It is then | The operator reads | Quiet from |';
  return `\n## ${title}\n\n${head}\n| --- | --- | --- | --- | --- | --- | --- |\n${faults.map(row).join('')}`;
}

function row(fault: Fault): string {
  const other = fault.or && { ...fault, ...fault.or };
  const either = (tell: (fault: Fault) => string): string =>
    other === undefined || tell(other) === tell(fault) ? tell(fault) : `${tell(fault)}; or ${tell(other)}`;
  const cells = [
    fault.does,
    code(fault.tier),
    either(answer),
    either(({ neighbours }) => neighbours),
    fault.rest,
    either(reading),
    code(fault.quietFrom),
  ];
  return `| ${cells.join(' | ')} |\n`;
}

function answer({ answer: { code: name, cause } }: Fault): string {
  return cause === undefined ? code(name) : `${code(name)}, ${code(cause)}`;
}

function reading({ record, log, verdicts, isVague }: Fault): string {
  const found = verdicts === undefined ? '' : ` (${verdicts.map(code).join(' or ')})`;
  const line = log === null ? '' : `; log: ${log}${found}`;
  return `${record.map(code).join(', ') || 'nothing'}${line}${isVague ? '; suspects' : ''}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(new URL('../../../docs/faults.md', import.meta.url), faultsPage());
