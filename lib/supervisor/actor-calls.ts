// What actors may ask of the runtime (`ctx.ask`, `ctx.create`, `ctx.after`, …), served to every host. The host names the
// worker that asks; everything else in a call is treated like a call from outside.

import * as v from 'valibot';
import type { Functions } from '../functions/registry.ts';
import type { RuntimeServices } from '../host/services.ts';
import { MAX_PAGE_ITEMS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { requireValid } from '../protocol/issues.ts';
import { decode, encode, payloadBytes, requireSize } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { channelCalls } from './actor-channels.ts';
import type { ActorChannels } from './actor-channels.ts';
import { awaitOutput, requireTimeout } from './asking.ts';
import type { Residence } from './residence.ts';
import type { Supervisor } from './supervisor.ts';

const FunctionsQuery = v.strictObject({
  search: v.optional(v.string()),
  worker: v.optional(v.string()),
  includeInternal: v.optional(v.boolean()),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PAGE_ITEMS))),
  after: v.optional(v.string()),
});

export function actorCalls(
  supervisor: Supervisor,
  functions: Functions,
  channels: ActorChannels,
  log: Logger,
): RuntimeServices {
  return {
    async invoke(workerId, inputSeq, functionId, payload, metadata, timeoutMs) {
      supervisor.telling.flush(workerId);
      return functions.call(functionId, {
        payload,
        metadata,
        caller: { workerId, inputSeq },
        timeoutMs: requireTimeout(timeoutMs ?? supervisor.limits.invocationTimeoutMs),
      });
    },

    functions: (_workerId, query) => pageOf(functions, query, supervisor.limits),

    ...messageCalls(supervisor),
    ...timerCalls(supervisor.residence),
    ...workerCalls(supervisor, log),
    ...channelCalls(supervisor, channels),
  };
}

/** Inputs to workers. */
function messageCalls(supervisor: Supervisor): Pick<RuntimeServices, 'ask' | 'tell'> {
  return {
    async ask(workerId, inputSeq, target, input, timeoutMs) {
      supervisor.telling.flush(workerId);
      const deadlineMs = requireTimeout(timeoutMs ?? supervisor.limits.askTimeoutMs);
      const settled = supervisor.chains.open(workerId, inputSeq, target);
      try {
        const record = supervisor.deliverValue(target, decode(input), { deadlineMs });
        return await awaitOutput(supervisor, record, (output) => output.payload);
      } finally {
        settled();
      }
    },

    async tell(workerId, inputSeq, target, input) {
      return supervisor.telling.tell(workerId, inputSeq, target, decode(input));
    },
  };
}

/** Inputs of a worker to itself, later. */
function timerCalls({ timers }: Residence): Pick<RuntimeServices, 'after' | 'every' | 'cancelTimer'> {
  return {
    async after(workerId, inputSeq, name, delayMs, input) {
      timers.after(workerId, inputSeq, name, delayMs, decode(input));
    },

    async every(workerId, inputSeq, name, repeat, input) {
      timers.every(workerId, inputSeq, name, repeat, decode(input));
    },

    async cancelTimer(workerId, inputSeq, name) {
      timers.cancel(workerId, inputSeq, name);
    },
  };
}

/** The lives of workers. */
function workerCalls(
  supervisor: Supervisor,
  log: Logger,
): Pick<RuntimeServices, 'create' | 'stop' | 'watch' | 'unwatch' | 'keepAwake' | 'release'> {
  return {
    async create(workerId, kind, newWorkerId, config, displayName) {
      const request = {
        kind,
        config: decode(config),
        ...(newWorkerId !== null && { workerId: newWorkerId }),
        ...(displayName !== null && { displayName }),
      };
      return (await supervisor.create(request, workerId)).workerId;
    },

    async stop(workerId, target, drain, reason) {
      supervisor.telling.flush(workerId);
      const stopped = supervisor.stop(target, {
        drain: drain || target === workerId,
        ...(reason !== null && { reason }),
      });
      if (!supervisor.families.isInFamily(workerId, target)) await stopped;
      // A worker that stops itself, or one that it stops with, must end its input first: it would wait for its own end.
      else
        stopped.catch((error: unknown) =>
          log.warn({ worker_id: workerId, ...describeError(error) }, 'stop is not kept'),
        );
    },

    watch: (workerId, target) => supervisor.families.watch(workerId, target),
    unwatch: (workerId, target) => supervisor.families.watching.unwatch(workerId, target),

    keepAwake(workerId, handle, reason) {
      supervisor.residence.requireOnHost(workerId);
      supervisor.residence.kept.keep(workerId, handle, reason);
    },

    release: (workerId, handle) => supervisor.residence.kept.release(workerId, handle),
  };
}

/** Throws `invalid_request` and `payload_too_large`. */
function pageOf(functions: Functions, query: Payload, { maxMessageBytes }: Limits): Payload {
  const page = encode(functions.list(requireValid(FunctionsQuery, decode(query), 'invalid_request')));
  requireSize(payloadBytes(page), maxMessageBytes, 'result');
  return page;
}
