// The remote-oversize scenario: a fresh process with a gateway, a neighbour whose function is called all the while, and a remote that sends
// one message above the limit. Memory is the greatest that the system has counted for this process, after it against before it.

import { answerRequests, forkPeer, processUrl } from '../support/child.ts';
import { openGateway } from '../support/gateway.ts';
import type { OpenGateway } from '../support/gateway.ts';
import { within } from '../support/load.ts';
import { functionIdOf } from '../support/raw-remote.ts';
import { questionOf, requireAnswer } from '../support/question.ts';
import type { SendRequest, Sent } from './frame-sender.ts';
import type { RemotesRequest } from './remotes.ts';

export interface OversizeRequest {
  readonly bytes: number;
  readonly fragmentBytes: number;
}

export interface Oversize extends Sent {
  readonly grownBytes: number;
  readonly maxFrameBytes: number;
  /** Of the neighbour's calls, all of which have succeeded. */
  readonly neighbourCalls: number;
  readonly slowestMs: number;
}

const WITHIN_MS = 60_000;
/** How long the memory of a process that calls its neighbour must not have grown, before it is said to be calm. */
const CALM_MS = 1_500;
const LOOK_EVERY_MS = 250;
/** Few calls: they show what the neighbour notices, and are not to fill the heap that is looked at. */
const BETWEEN_CALLS_MS = 2;
const QUESTION_BYTES = 256;
const KiB = 1_024;

async function measure({ bytes, fragmentBytes }: OversizeRequest): Promise<Oversize> {
  const gateway = await openGateway();
  const [neighbour, sender] = [forkPeer(processUrl('remotes')), forkPeer(processUrl('frame-sender'))];
  try {
    const { address } = gateway;
    await neighbour.request({ how: 'raw', address, first: 0, count: 1 } satisfies RemotesRequest, WITHIN_MS);
    const load = keepCalling(gateway);
    const before = await calm();
    const sent = (await sender.request({ address, bytes, fragmentBytes } satisfies SendRequest, WITHIN_MS)) as Sent;
    await pause(LOOK_EVERY_MS);
    const grownBytes = mostRssBytes() - before;
    const { maxFrameBytes } = gateway.runtime.supervisor.limits;
    return { ...sent, ...(await load.end()), grownBytes, maxFrameBytes };
  } finally {
    await Promise.all([neighbour.close(), sender.close()]);
    await gateway.close();
  }
}

function keepCalling(gateway: OpenGateway): {
  end(): Promise<Pick<Oversize, 'neighbourCalls' | 'slowestMs'>>;
} {
  let [isOver, neighbourCalls, slowestMs] = [false, 0, 0];
  const callOn = async (): Promise<void> => {
    while (!isOver) {
      const question = questionOf(QUESTION_BYTES);
      const askedMs = performance.now();
      requireAnswer(question, await gateway.call(functionIdOf(0), question));
      slowestMs = Math.max(slowestMs, performance.now() - askedMs);
      neighbourCalls++;
      await pause(BETWEEN_CALLS_MS);
    }
  };
  const calls = callOn();
  calls.catch(() => undefined); // reported by end
  return {
    end: async () => {
      isOver = true;
      await within(calls, WITHIN_MS, () => 'a call of the neighbour has no answer');
      return { neighbourCalls, slowestMs };
    },
  };
}

/** Resolves with the most that there was, once that grows no more. */
async function calm(): Promise<number> {
  const giveUpAtMs = performance.now() + WITHIN_MS;
  let [most, sinceMs] = [mostRssBytes(), performance.now()];
  while (performance.now() - sinceMs < CALM_MS) {
    await pause(LOOK_EVERY_MS);
    if (performance.now() > giveUpAtMs) throw new Error('the memory of the process grows on and on');
    if (mostRssBytes() > most) [most, sinceMs] = [mostRssBytes(), performance.now()];
  }
  return most;
}

function mostRssBytes(): number {
  return process.resourceUsage().maxRSS * KiB;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

answerRequests((request) => measure(request as OversizeRequest));
