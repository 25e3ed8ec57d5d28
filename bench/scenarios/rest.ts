// What does the way through REST, supervisor, host and back cost next to a bare Fastify route that echoes the body?

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { echoActor } from '../support/runtime.ts';
import { processUrl, spawnServer } from '../support/child.ts';
import { CONNECTIONS, openHttpLoad } from '../support/http-load.ts';
import type { HttpTarget } from '../support/http-load.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';

/** Wrk runs for whole seconds. */
const EFFORTS = {
  quick: { rounds: 3, warmUpSeconds: 1, seconds: 1 },
  full: { rounds: 9, warmUpSeconds: 3, seconds: 3 },
} as const satisfies Record<Effort, unknown>;

const GOAL = 0.8;
const cli = new URL('../../lib/cli.js', import.meta.url);

export const rest: Scenario = {
  name: 'rest',
  question: `answered POSTs per second over ${CONNECTIONS} connections: Fastify echo, and an echo worker with Prefer: wait`,
  run: async (effort): Promise<Findings> => {
    const { rounds, warmUpSeconds, seconds } = EFFORTS[effort];
    const closers: (() => Promise<void>)[] = [];
    try {
      const load = await openHttpLoad();
      closers.push(() => load.close());
      const targets = await openTargets(closers);
      for (const { target } of targets) await load.run(target, warmUpSeconds);
      const subjects = targets.map(({ name, target }) => ({
        name,
        turn: async () => {
          const { perSecond, p50Us, p99Us } = await load.run(target, seconds);
          return { [`answers/s (${load.name})`]: perSecond, 'p50 in µs': p50Us, 'p99 in µs': p99Us };
        },
      }));
      const measures = await interleave(subjects, rounds);
      const [bare, ours] = targets.map(({ name }) => roundsOf(measures, name, `answers/s (${load.name})`));
      const perRound = pairwise(ours ?? [], bare ?? []);
      const ratios = [{ label: `${targets[1].name} : ${targets[0].name}`, perRound, atLeast: GOAL }];
      return { measures, ratios, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      for (const close of closers.reverse()) await close();
    }
  },
};

interface NamedTarget {
  readonly name: string;
  readonly target: HttpTarget;
}

/** Both get the same requests, byte for byte but for the path; the bare one has no use for the headers. */
async function openTargets(closers: (() => Promise<void>)[]): Promise<[NamedTarget, NamedTarget]> {
  const bare = await spawnServer<{ url: string }>(processUrl('fastify-echo'), []);
  closers.push(() => bare.close());
  const dataDir = await mkdtemp(join(tmpdir(), 'greenroom-rest-'));
  closers.push(() => rm(dataDir, { recursive: true }));
  const flags = ['--bind', '127.0.0.1:0', '--actors', fileURLToPath(echoActor), '--data-dir', dataDir];
  const runtime = await spawnServer<{ url: string; token_file: string }>(cli, [
    'start',
    ...flags,
    '--hosts',
    '1',
    '--log-level',
    'error',
  ]);
  closers.push(() => runtime.close());
  const token = (await readFile(runtime.ready.token_file, 'utf8')).trim();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=5' };
  const created = await request(`${runtime.ready.url}/v1/workers`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ kind: 'echo', worker_id: 'echo' }),
  });
  if (created.statusCode !== 201) throw new Error(`no worker: ${created.statusCode} ${await created.body.text()}`);
  await created.body.dump();
  return [
    { name: 'fastify echo', target: { url: `${bare.ready.url}/echo`, headers } },
    { name: 'greenroom, 1 worker', target: { url: `${runtime.ready.url}/v1/workers/echo/input`, headers } },
  ];
}
