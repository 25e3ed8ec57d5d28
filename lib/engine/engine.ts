// The functions of the runtime itself, `engine::…`: registered like everybody's, owned by the runtime, the same for remotes,
// actors and Backends. What a caller may see comes from its session, never from its payload.

import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import type { FunctionCall, FunctionOwner, RegisteredFunction } from '../functions/function.ts';
import { CHANNEL_MESSAGES, MAX_CHANNEL_MESSAGES } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { ENGINE_NAME } from '../protocol/function-ids.ts';
import { decode, invocationTooLarge, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { MAX_ENGINE_PAYLOAD_BYTES } from './bounds.ts';
import { BAGGAGE_FUNCTIONS } from './baggage.ts';
import { engineFunction, optional } from './engine-function.ts';
import type { DescribedRemote, EngineCall, EngineFunctions } from './engine-function.ts';
import { functionListFunctions } from './function-listings.ts';
import { logFunctions } from './log.ts';
import { triggerFunctions } from './trigger-listings.ts';
import { workerFunctions } from './worker-listings.ts';
import type { WorkerListParts } from './worker-listings.ts';

/** One end of a channel, as it travels. */
export interface ChannelRef {
  readonly channel_id: string;
  readonly access_key: string;
  readonly direction: 'read' | 'write';
}

export interface EngineParts extends WorkerListParts {
  readonly log: Logger;
  /** Undefined when the id is not that of a session that is connected. */
  readonly sessionOf: (workerId: string) => DescribedRemote | undefined;
  /** The channel ends with its owner; null: with the runtime. Throws `runtime_overloaded`. */
  readonly createChannel: (
    ownerId: string | null,
    bufferMessages: number,
  ) => { readonly writer: ChannelRef; readonly reader: ChannelRef };
}

/** Registers them all; hands back their owner. */
export function registerEngineFunctions(parts: EngineParts): FunctionOwner {
  const { functions, triggers, log, maxMessageBytes } = parts;
  const all: EngineFunctions = {
    ...workerFunctions(parts),
    ...functionListFunctions(functions, triggers.book, maxMessageBytes),
    ...triggerFunctions(triggers, functions, maxMessageBytes),
    ...channelFunctions(parts),
    ...logFunctions(log),
    ...BAGGAGE_FUNCTIONS,
  };
  const owner = new Engine(all, parts);
  for (const [functionId, { description }] of Object.entries(all))
    functions.register(owner, { functionId, description });
  return owner;
}

class Engine implements FunctionOwner {
  readonly ownerId = ENGINE_NAME;
  readonly origin = 'runtime';
  readonly name = ENGINE_NAME;
  readonly #all: EngineFunctions;
  readonly #parts: EngineParts;

  constructor(all: EngineFunctions, parts: EngineParts) {
    this.#all = all;
    this.#parts = parts;
  }

  /** Nothing here waits but `engine::register_trigger`, which keeps to the call's time and signal itself. */
  async serve({ functionId }: RegisteredFunction, call: FunctionCall): Promise<Payload> {
    const bytes = payloadBytes(call.payload);
    if (bytes > MAX_ENGINE_PAYLOAD_BYTES) throw invocationTooLarge(bytes, MAX_ENGINE_PAYLOAD_BYTES);
    const found = this.#all[functionId];
    if (found === undefined) throw GreenroomError.of('function_not_found');
    return found.run(decode(call.payload), this.#identify(call));
  }

  #identify(call: FunctionCall): EngineCall {
    const { workerId } = call.caller;
    const session = workerId === null ? undefined : this.#parts.sessionOf(workerId);
    // A remote that has gone must not be taken for an actor, which may see everything.
    if (session === undefined && workerId !== null && this.#parts.peers.has(workerId)) {
      throw GreenroomError.of('invocation_stopped');
    }
    return { ...call, session: session ?? null, policy: session?.policy ?? null };
  }
}

function channelFunctions({ createChannel }: EngineParts): EngineFunctions {
  const Wanted = v.object({ buffer_size: optional(v.pipe(v.number(), v.integer())) });
  return {
    'engine::channels::create': engineFunction('Creates a channel.', Wanted, ({ buffer_size: wanted }, { caller }) => {
      const messages = Math.min(Math.max(wanted ?? CHANNEL_MESSAGES, 1), MAX_CHANNEL_MESSAGES);
      const { writer, reader } = createChannel(caller.workerId, messages);
      return { writer, reader };
    }),
  };
}
