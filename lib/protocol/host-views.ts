// The shapes that callers see of hosts: what they are doing, and how they were killed.

import type { Timestamp } from './views.ts';

export const ISOLATIONS = ['shared', 'dedicated', 'process'] as const;
/** What a worker runs on: a thread together with others, a thread of its own, or a process of its own. */
export type Isolation = (typeof ISOLATIONS)[number];

export const HOST_STATUSES = ['starting', 'ready', 'recycling', 'quarantined', 'dead'] as const;
/** `recycling`: its workers are moving to another. `quarantined`: it was killed and does not end; nothing waits for it. */
export type HostStatus = (typeof HOST_STATUSES)[number];

/**
 * What a host is doing, seen from outside. `idle`: nothing. `progressing`: it works and gives signs of life. `spinning`: JavaScript that
 * does not come to an end. `blocked`: it waits and lets nothing else run. `native_block`: native code that cannot be interrupted.
 * `unresponsive`: one of these three, which cannot be told apart here.
 */
export const VERDICTS = ['idle', 'progressing', 'spinning', 'blocked', 'native_block', 'unresponsive'] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface HostView {
  hostId: string;
  isolation: Isolation;
  status: HostStatus;
  verdict: Verdict;
  workers: number;
  /** Event loop utilisation over the watchdog's last look, 0 to 1. */
  utilization: number;
  heapBytes: number;
  /** Buffers and the like. */
  externalBytes: number;
  /** Inputs that it has handled. */
  handled: number;
  startedAt: Timestamp;
}

/** One host, alive or one of the last that have ended. */
export interface HostDetail extends HostView {
  endedAt: Timestamp | null;
  /** How it was killed; null if it was not. */
  certificate: KillCertificate | null;
}

/** What a kill was: why, on what evidence, how long it took, and who was hit. */
export interface KillCertificate {
  hostId: string;
  /** Who ordered it: `stuck`, `cancel_grace`, `handler_timeout`, `memory`, `start_timeout`, `link_fault`, `recycle`, `close`. */
  reason: string;
  verdict: Verdict;
  orderedAt: Timestamp;
  /** From the order to the end of the host; null while it has not ended: it is quarantined. */
  tookMs: number | null;
  evidence: {
    utilization: number;
    heapBytes: number;
    externalBytes: number;
    /** Since its last sign of life. */
    silentMs: number;
    /** CPU that its thread took in that time; null where it cannot be told. */
    cpuMs: number | null;
    /** The inputs that were running, those of the culprits first. */
    running: { workerId: string; inputId: string; ageMs: number }[];
  };
  /** Workers that it is held against. */
  culprits: string[];
  /** How many workers were on it, and what became of the inputs that it held; bounded. */
  workersHit: number;
  inputs: {
    workerId: string;
    inputId: string;
    became: 'unknown' | 'again' | 'waiting' | 'cancelled' | 'failed' | 'poison';
  }[];
}
