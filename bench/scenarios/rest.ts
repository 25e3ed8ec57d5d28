// What does the way through REST, supervisor, host and back cost next to a bare Fastify route that echoes the body?

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { echoActor } from '../support/runtime.ts';
import { processUrl, spawnServer } from '../support/child.ts';
import { CONNECTIONS, HTTP_EFFORTS, openHttpLoad } from '../support/http-load.ts';
import type { HttpTarget } from '../support/http-load.ts';
import { cpuMsOf } from '../support/process.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Findings, Scenario } from '../support/scenario.ts';
import { openStandalone } from '../support/standalone.ts';
import { pairwise } from '../support/statistics.ts';

const GOAL = 0.9;
const CPU = 'CPU of the server in µs, per answer';

export const rest: Scenario = {
  name: 'rest',
  question: `answered POSTs per second over ${CONNECTIONS} connections: Fastify echo, and an echo worker with Prefer: wait`,
  run: async (effort): Promise<Findings> => {
    const { rounds, warmUpSeconds, seconds } = HTTP_EFFORTS[effort];
    const closers: (() => Promise<void>)[] = [];
    try {
      const load = await openHttpLoad();
      closers.push(() => load.close());
      const targets = await openTargets(closers);
      for (const { target } of targets) await load.run(target, warmUpSeconds);
      const subjects = targets.map(({ name, pid, target }) => ({
        name,
        turn: async () => {
          const before = await cpuMsOf(pid);
          const { answered, perSecond, p50Us, p99Us } = await load.run(target, seconds);
          const after = await cpuMsOf(pid);
          const cpu = before === null || after === null ? {} : { [CPU]: ((after - before) * 1_000) / answered };
          return { [`answers/s (${load.name})`]: perSecond, 'p50 in µs': p50Us, 'p99 in µs': p99Us, ...cpu };
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
  readonly pid: number;
  readonly target: HttpTarget;
}

/** Both get the same requests, byte for byte but for the path; the bare one has no use for the headers. */
async function openTargets(closers: (() => Promise<void>)[]): Promise<[NamedTarget, NamedTarget]> {
  const bare = await spawnServer<{ url: string }>(processUrl('fastify-echo'), []);
  closers.push(() => bare.close());
  const dataDir = await mkdtemp(join(tmpdir(), 'greenroom-rest-'));
  closers.push(() => rm(dataDir, { recursive: true }));
  const runtime = await openStandalone({ actor: echoActor, hosts: 1, dataDir });
  closers.push(() => runtime.close());
  await runtime.create('echo', 'echo');
  const headers = { ...runtime.headers, prefer: 'wait=5' };
  return [
    { name: 'fastify echo', pid: bare.pid, target: { url: `${bare.ready.url}/echo`, headers } },
    { name: 'greenroom, 1 worker', pid: runtime.pid, target: { url: `${runtime.url}/v1/workers/echo/input`, headers } },
  ];
}
