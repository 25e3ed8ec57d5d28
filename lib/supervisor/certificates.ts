// Kill certificates: what is written down when a host is killed. The evidence is taken at the order, while the host still is what it was
// killed for; what became of the inputs is noted when they are settled, and how long it took when nothing of the host runs any more.

import { epochNow, monotonicMs, toEpochMs } from '../protocol/clock.ts';
import { toSnakeCase } from '../protocol/views.ts';
import type { HostDetail, HostView, KillCertificate } from '../protocol/views.ts';
import { suspectsOn } from './deaths.ts';
import type { HostSample, HostSlot, KillOrder } from './host-slot.ts';
import { verdictOfKill } from './verdicts.ts';
import type { Worker } from './worker.ts';

/** Workers and inputs that a certificate names; all of them are counted. */
const MAX_WORKERS = 20;
const MAX_INPUTS = 64;

type Became = KillCertificate['inputs'][number]['became'];

/** One kill, from its order on. */
export class Kill {
  readonly certificate: KillCertificate;
  /** Workers that it is held against. */
  readonly culprits: readonly Worker[];
  readonly #orderedAtMs = monotonicMs();
  readonly #sample: HostSample;

  constructor(slot: HostSlot, order: KillOrder) {
    const hit = slot.seated();
    const isTold = order.culprits.length > 0 || order.reason === 'link_fault';
    const culprits = isTold ? order.culprits : suspectsOn(slot);
    this.culprits = culprits;
    const { utilization, heapBytes, externalBytes, silentMs, cpuMs } = slot.sample;
    const inputs = running(culprits, hit);
    // What it was found to do may be older than what it runs.
    const verdict = slot.sample.verdict === 'idle' && inputs.length > 0 ? 'progressing' : slot.sample.verdict;
    this.#sample = { ...slot.sample, verdict };
    this.certificate = {
      hostId: slot.host.hostId,
      reason: order.reason,
      verdict,
      orderedAt: new Date(epochNow()).toISOString(),
      tookMs: null,
      evidence: { utilization, heapBytes, externalBytes, silentMs, cpuMs, running: inputs },
      culprits: culprits.slice(0, MAX_WORKERS).map(({ workerId }) => workerId),
      workersHit: hit.length,
      inputs: [],
    };
  }

  /** What became of an input that the host held. */
  note(workerId: string, inputId: string, became: Became): void {
    const { inputs } = this.certificate;
    if (inputs.length < MAX_INPUTS) inputs.push({ workerId, inputId, became });
  }

  /** For the transcript of a culprit: as it is now, without the inputs of others. Encoded. */
  entryOf({ workerId }: Worker): string {
    const { evidence, inputs, ...rest } = this.certificate;
    const isOwn = (input: { workerId: string }) => input.workerId === workerId;
    const own = {
      ...rest,
      evidence: { ...evidence, running: evidence.running.filter(isOwn) },
      inputs: inputs.filter(isOwn),
    };
    return JSON.stringify(toSnakeCase(own));
  }

  /** It has not ended in time. */
  onQuarantined(): void {
    this.#judge(false);
  }

  /** Nothing of it runs any more. */
  onEnded(): void {
    if (this.certificate.verdict !== 'native_block') this.#judge(true);
    this.certificate.tookMs = Math.round(monotonicMs() - this.#orderedAtMs);
  }

  #judge(hasEnded: boolean): void {
    this.certificate.verdict = verdictOfKill(this.#sample, hasEnded);
  }
}

/** Those of the culprits first. */
function running(culprits: readonly Worker[], hit: readonly Worker[]): KillCertificate['evidence']['running'] {
  const found: KillCertificate['evidence']['running'] = [];
  for (const worker of new Set([...culprits, ...hit])) {
    if (found.length === MAX_WORKERS) break;
    const input = worker.startedInput();
    if (input === null) continue;
    found.push({
      workerId: worker.workerId,
      inputId: input.inputId,
      ageMs: Math.max(0, Math.round(epochNow() - input.acceptedAtMs)),
    });
  }
  return found;
}

export function hostView(slot: HostSlot): HostView {
  const { host, isolation, status, workerCount, startedAt, sample, handled } = slot;
  return {
    hostId: host.hostId,
    isolation,
    status,
    verdict: sample.verdict,
    workers: workerCount,
    utilization: sample.utilization,
    heapBytes: sample.heapBytes,
    externalBytes: sample.externalBytes,
    handled,
    startedAt: new Date(toEpochMs(startedAt)).toISOString(),
  };
}

export function hostDetail(slot: HostSlot, endedAtMs: number | null): HostDetail {
  const endedAt = endedAtMs === null ? null : new Date(endedAtMs).toISOString();
  return { ...hostView(slot), endedAt, certificate: slot.killed?.certificate ?? null };
}
