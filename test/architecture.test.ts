// Who may import whom, as data, checked against every import line of `lib` and `actors`; and the shape of the files.
// Names are relative to `lib`. Patterns read from left to right and the last one that fits wins:
//   `folder/`, `file.ts`, `*` (all of lib)   allowed          `type:PATTERN`  with `import type` only
//   `!PATTERN`                               not allowed      `lazy:PATTERN`  with a dynamic import only
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)); // this file runs from dist/test
const LINES_MAX = 400;
const FUNCTIONS =
  'functions/function.ts functions/registry.ts functions/peers.ts functions/groups.ts functions/format.ts functions/hints.ts';
const BASE = 'protocol/ observe/ errors.ts limits.ts';

/** What runs in a thread; the supervisor's end of the wire must not load it. */
const THREAD_END =
  '!host/thread.ts !host/serve.ts !host/runner.ts !host/cell.ts !host/context.ts !host/outcomes.ts !host/own-thread.ts !host/output.ts !host/blame.ts !host/log-lane.ts !host/outgoing.ts !host/first-state.ts';
const typesOnly = (patterns: string) => patterns.replace(/\S+/g, 'type:$&');

/** The first row whose left side fits a file is its rule; a file without a row is a mistake. */
const LAYERS = [
  ['cli.ts', `cli/ check-actor.ts config.ts config-options.ts runtime.ts ${BASE}`],
  [
    'cli/',
    `cli/ open-store.ts lazy:lmdb/maintenance.ts lazy:lmdb/fsck.ts lazy:lmdb/lock.ts config.ts runtime.ts outside.ts type:replay/ lazy:replay/stored.ts client/ server/ type:access/options.ts type:egress/egress.ts egress/options-schema.ts ${BASE}`,
  ],
  [
    'index.ts',
    `runtime.ts errors.ts limits.ts ${typesOnly('actor.ts channels/ functions/ observe/ protocol/ supervisor/')}`,
  ],
  ['check-actor.ts', `host/ ${BASE}`],
  ['replay/stored.ts', `replay/ open-store.ts lmdb/lock.ts supervisor/catalog.ts type:store/store.ts ${BASE}`],
  ['replay/', `replay/ host/host.ts host/pool.ts host/services.ts type:store/store.ts ${BASE}`],
  ['embedded.ts', `supervisor/ channels/ outside.ts type:sources/ ${FUNCTIONS} ${BASE}`],
  ['runtime.ts', '* !cli.ts !cli/ !index.ts !client/ !server/ !testing/ !lmdb/ !store/ type:store/'],
  ['open-store.ts', `store/ lazy:lmdb/store.ts lazy:lmdb/lock.ts ${BASE}`],
  ['testing/', `testing/ actor.ts runtime.ts host/ supervisor/ ${BASE}`],
  // Loaded only when the gateway is on.
  ['server/gateway-routes.ts', `server/ supervisor/ gateway/ access/ channels/ ${FUNCTIONS} ${BASE}`],
  [
    'server/mcp-routes.ts',
    `server/ !server/gateway-routes.ts supervisor/ access/ lazy:mcp/served.ts type:mcp/served.ts ${FUNCTIONS} ${BASE}`,
  ],
  [
    'server/',
    `server/ !server/gateway-routes.ts lazy:server/gateway-routes.ts supervisor/ type:access/options.ts channels/ ${FUNCTIONS} type:runtime.ts type:outside.ts http/registration.ts type:store/ ${BASE}`,
  ],
  [
    'supervisor/',
    `supervisor/ host/host.ts host/endings.ts host/modules.ts host/functions.ts host/ended-notices.ts type:host/services.ts store/log.ts store/store.ts store/sorted-workers.ts type:actor.ts ${FUNCTIONS} channels/ ${BASE}`,
  ],
  [
    'gateway/',
    `gateway/ engine/ type:access/ egress/addresses.ts type:egress/egress.ts type:http/functions.ts channels/ ${FUNCTIONS} ${BASE}`,
  ],
  ['engine/', `engine/ type:access/policy.ts ${FUNCTIONS} ${BASE}`],
  ['access/', `access/ type:functions/registry.ts ${BASE}`],
  ['outside.ts', `egress/ http/ sources/ openapi/ mcp/ channels/ type:store/ ${FUNCTIONS} ${BASE}`],
  ['egress/', `egress/ access/patterns.ts access/options-schema.ts ${BASE}`],
  ['http/', `http/ type:egress/ type:store/ ${FUNCTIONS} ${BASE}`],
  ['sources/', `sources/ access/patterns.ts type:store/ ${FUNCTIONS} ${BASE}`],
  ['openapi/', `openapi/ type:sources/source.ts type:egress/ http/ channels/ ${FUNCTIONS} ${BASE}`],
  [
    'mcp/',
    `mcp/ http/auth.ts http/headers.ts type:sources/source.ts type:egress/ type:access/policy.ts ${FUNCTIONS} ${BASE}`,
  ],
  ['functions/', `functions/ ${BASE}`],
  ['channels/', `channels/ ${BASE}`],
  ['host/host.ts host/boot.ts host/pool.ts host/link.ts host/process.ts', `host/ ${THREAD_END} type:actor.ts ${BASE}`],
  ['host/choose.ts', `host/ ${BASE}`],
  ['host/inline.ts', `host/ ${BASE}`], // both ends, without a thread
  ['host/', `host/ !host/pool.ts !host/process.ts !host/link.ts !host/inline.ts type:actor.ts channels/ ${BASE}`], // thread end, and what both share
  ['store/', `store/ ${BASE}`],
  // Loaded only when a runtime has a durable store.
  ['lmdb/', `lmdb/ store/ ${BASE}`],
  ['client/', 'client/ protocol/ errors.ts limits.ts'],
  ['remote/', 'remote/ protocol/ errors.ts limits.ts'],
  ['actor.ts', 'type:limits.ts type:channels/ type:protocol/'],
  ['observe/', BASE],
  ['protocol/', 'protocol/ errors.ts limits.ts'],
  [
    'config.ts config-options.ts',
    'config-options.ts type:access/options.ts access/options-schema.ts access/patterns.ts type:egress/egress.ts egress/options-schema.ts observe/ protocol/ errors.ts limits.ts',
  ],
  ['limits.ts', 'errors.ts'],
  ['errors.ts', 'error-table.ts'],
  ['error-table.ts', ''],
  // Modules below a folder of actors are parts of them, and no actors.
  ['../actors/', 'actor.ts ../actors/agent/'],
] as const;

/** Who may import a package; one that has no row is not imported at all. */
const PACKAGES: Record<string, string> = {
  '@valibot/to-json-schema': 'supervisor/catalog.ts server/openapi-document.ts',
  comlink: 'host/',
  croner: 'type:protocol/schedule.ts',
  commander: 'cli.ts cli/',
  fastify: 'server/',
  'iii-sdk': 'remote/',
  '@fastify/websocket': 'server/gateway-routes.ts',
  node: '* ../actors/',
  pino: 'observe/',
  '@cfworker/json-schema': 'openapi/',
  '@modelcontextprotocol/client': 'mcp/',
  '@modelcontextprotocol/server': 'mcp/',
  '@readme/openapi-parser': 'openapi/',
  'eventsource-parser': '../actors/agent/endpoint.ts',
  'ipaddr.js': 'egress/',
  lmdb: 'lmdb/environment.ts',
  piscina: 'host/pool.ts openapi/',
  yaml: 'openapi/',
  'secure-json-parse': '*',
  undici: 'client/ egress/ http/ mcp/',
  uuid: 'supervisor/ server/ runtime.ts',
  ws: 'type:gateway/ type:server/gateway-routes.ts',
  valibot: '* !errors.ts !limits.ts ../actors/',
};

type Kind = 'static' | 'type' | 'lazy';
type Import = { specifier: string; kind: Kind };

const IMPORT =
  /^(?:import|export)\s+(type\s+)?(?:[\w$*{][^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"`]([^'"`]+)['"`]/gm;

function permits(patterns: string, name: string, kind: Kind = 'static'): boolean {
  let allowed = false;
  for (const entry of patterns.split(' ')) {
    const [, mark, pattern] = /^(!|type:|lazy:)?(.*)$/.exec(entry)!;
    const fits =
      pattern === '*' ? !name.startsWith('..') : pattern!.endsWith('/') ? name.startsWith(pattern!) : name === pattern;
    if (fits) allowed = mark !== '!' && (allowed || mark === undefined || mark === `${kind}:`);
  }
  return allowed;
}

function importsOf(source: string): Import[] {
  return Array.from(source.matchAll(IMPORT), ([, type, declared, called]) =>
    declared === undefined
      ? { specifier: called!, kind: 'lazy' }
      : { specifier: declared, kind: type === undefined ? 'static' : 'type' },
  );
}

function isAllowed(file: string, rule: string, { specifier, kind }: Import): boolean {
  if (specifier.startsWith('.')) {
    const target = path.posix.join('lib', path.posix.dirname(file), specifier);
    return permits(rule, path.posix.relative('lib', target), kind);
  }
  const name = specifier.startsWith('node:') ? 'node' : /^(@[^/]+\/)?[^/]+/.exec(specifier)![0];
  return permits(PACKAGES[name] ?? '', file, kind);
}

/** Paths of the sources below these folders, relative to the project. */
function sources(...folders: string[]): string[] {
  return folders.flatMap((folder) => {
    if (!existsSync(path.join(ROOT, folder))) return [];
    return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      const name = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sources(name);
      return /\.(ts|js|sh)$/.test(name) ? [name] : [];
    });
  });
}

const read = (name: string): string => readFileSync(path.join(ROOT, name), 'utf8');
const everything = sources('lib', 'actors', 'bench', 'test', 'scripts');

test('every import goes down the layers', () => {
  const complaints = sources('lib', 'actors').flatMap((name) => {
    const file = path.posix.relative('lib', name);
    const rule = LAYERS.find(([files]) => permits(files, file))?.[1];
    if (rule === undefined) return [`${name} has no row in LAYERS`];
    return importsOf(read(name))
      .filter((found) => !isAllowed(file, rule, found))
      .map(({ kind, specifier }) => `${name}: ${kind} import of ${specifier}`);
  });
  assert.deepEqual(complaints, []);
});

test(`no file is longer than ${LINES_MAX} lines`, () => {
  assert.deepEqual(
    everything.filter((name) => read(name).split('\n').length - 1 > LINES_MAX),
    [],
  );
});

test('no file or folder has a name that says nothing', () => {
  assert.deepEqual(
    everything.filter((name) => /(^|\/)(utils?|helpers?|common|types|misc)(\/|\.|$)/.test(name)),
    [],
  );
});

test('lib is one folder deep', () => {
  assert.deepEqual(
    sources('lib').filter((name) => name.split('/').length > 3),
    [],
  );
});

test('no work is left behind in a source', () => {
  const leftovers = /\b(TO[D]O|FIX[M]E|X[X]X|H[A]CK)\b|\.(ski[p]|onl[y])\(/; // the brackets hide this line from itself
  assert.deepEqual(
    everything.filter((name) => leftovers.test(read(name))),
    [],
  );
});

test('the package root loads no fastify, undici, commander or lmdb', () => {
  const script = `
    import { createRequire } from 'node:module';
    await import(${JSON.stringify(new URL('../lib/index.js', import.meta.url))});
    const loaded = Object.keys(createRequire(import.meta.url).cache); // all are, or load, CommonJS or a native library, so all show up here
    console.log(JSON.stringify(loaded.filter((file) => /node_modules.(fastify|undici|commander|@lmdb)\\W/.test(file))));`;
  const loaded = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: ROOT,
    timeout: 30_000,
  });
  assert.deepEqual(JSON.parse(loaded.toString()), []);
});
