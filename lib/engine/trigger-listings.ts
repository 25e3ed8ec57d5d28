// `engine::triggers::*` lists the types of triggers, `engine::registered-triggers::*` the triggers bound to them; and how a trigger
// is registered by a call instead of a frame: then it stays until it is unregistered, whoever disconnects.

import * as v from 'valibot';
import { isInternal } from '../functions/registry.ts';
import type { Functions } from '../functions/registry.ts';
import { firstSegment, isEngineId } from '../protocol/function-ids.ts';
import { encode } from '../protocol/payload.ts';
import { CONFIG_SUMMARY_CHARS } from './bounds.ts';
import { engineFunction, listing, notFound, optional } from './engine-function.ts';
import type { EngineFunctions } from './engine-function.ts';
import { mayList } from './function-listings.ts';
import type { Policy } from '../access/policy.ts';
import type { Trigger, TriggerType } from './trigger-book.ts';
import type { Triggers } from './triggers.ts';

const TypeFilter = v.object({
  search: optional(v.string()),
  prefix: optional(v.string()),
  worker: optional(v.string()),
  include_internal: optional(v.boolean()),
});
const TriggerFilter = v.object({
  search: optional(v.string()),
  trigger_type: optional(v.string()),
  function_id: optional(v.string()),
  worker: optional(v.string()),
  include_internal: optional(v.boolean()),
});
const ById = v.object({ id: v.string() });
const Request = v.object({
  trigger_type: v.string(),
  function_id: v.string(),
  config: v.optional(v.unknown()),
  metadata: v.optional(v.unknown()),
});

export function triggerFunctions(triggers: Triggers, functions: Functions, limitBytes: number): EngineFunctions {
  return {
    ...typeFunctions(triggers, limitBytes),
    ...registeredFunctions(triggers, functions, limitBytes),
    'engine::register_trigger': engineFunction('Binds a function to a trigger type.', Request, async (input, call) => {
      const { trigger_type: triggerType, function_id: functionId, config = null, metadata } = input;
      const request = { triggerType, functionId, config, metadata: metadata ?? undefined };
      return { id: await triggers.register(call.session, request, call) };
    }),
    'engine::unregister_trigger': engineFunction('Ends what engine::register_trigger began.', ById, ({ id }) => ({
      removed: triggers.unregister(id),
    })),
  };
}

function typeFunctions({ book }: Triggers, limitBytes: number): EngineFunctions {
  return {
    'engine::triggers::list': engineFunction('Lists trigger types.', TypeFilter, (filter) => {
      const rows = book.types().filter((type) => isWantedType(type, filter));
      return listing('triggers', rows.map(typeRow), limitBytes);
    }),
    'engine::triggers::info': engineFunction('Describes a trigger type.', ById, ({ id }) => {
      const type = book.type(id);
      if (type === undefined) throw notFound(`Trigger type ${id}`);
      const { requestFormat, callFormat } = type;
      return {
        ...typeRow(type),
        ...(isGiven(requestFormat) && { configuration_schema: requestFormat }),
        ...(isGiven(callFormat) && { request_schema: callFormat }),
        instance_count: book.ofType(id).size,
      };
    }),
  };
}

function registeredFunctions({ book }: Triggers, functions: Functions, limitBytes: number): EngineFunctions {
  return {
    'engine::registered-triggers::list': engineFunction('Lists triggers.', TriggerFilter, (filter, { policy }) => {
      const rows = book.triggers().filter((trigger) => isWanted(trigger, filter, functions));
      const visible = rows.filter((trigger) => isVisible(trigger, functions, policy));
      return listing('registered_triggers', visible.map(triggerRow), limitBytes);
    }),
    'engine::registered-triggers::info': engineFunction('Describes a trigger.', ById, ({ id }, { policy }) => {
      const trigger = book.get(id);
      if (trigger === undefined || !isVisible(trigger, functions, policy)) throw notFound(`Trigger ${id}`);
      return triggerRow(trigger);
    }),
  };
}

export function typeRow({ id, provider, description }: TriggerType): object {
  return { id, worker_name: providerName(provider, id), description };
}

export function triggerRow(trigger: Trigger): object {
  const { id, triggerType, functionId, config } = trigger;
  const summary = encode(config ?? null);
  return {
    id,
    trigger_type: triggerType,
    function_id: functionId,
    worker_name: workerName(trigger),
    config: config ?? null,
    config_summary: summary.length <= CONFIG_SUMMARY_CHARS ? summary : `${summary.slice(0, CONFIG_SUMMARY_CHARS)}…`,
  };
}

/** Whoever may not see the function does not see that something is bound to it, and how; its own maker does. */
export function isVisible(trigger: Trigger, functions: Functions, policy: Policy | null): boolean {
  if (policy === null || trigger.policy === policy) return true;
  const target = functions.get(trigger.functionId);
  if (target !== undefined) return mayList(policy, target);
  return policy.listRefusal(trigger.functionId, undefined) === null;
}

function isWantedType(type: TriggerType, filter: v.InferOutput<typeof TypeFilter>): boolean {
  const { search, prefix, worker, include_internal: internal } = filter;
  if (internal !== true && isEngineId(type.id)) return false;
  if (typeof prefix === 'string' && !type.id.startsWith(prefix)) return false;
  if (
    typeof worker === 'string' &&
    worker !== type.provider?.ownerId &&
    worker !== providerName(type.provider, type.id)
  )
    return false;
  return typeof search !== 'string' || includes(search, type.id, type.description);
}

function isWanted(trigger: Trigger, filter: v.InferOutput<typeof TriggerFilter>, functions: Functions): boolean {
  const { search, trigger_type: type, function_id: functionId, worker, include_internal: internal } = filter;
  if (typeof type === 'string' && trigger.triggerType !== type) return false;
  if (typeof functionId === 'string' && trigger.functionId !== functionId) return false;
  if (typeof worker === 'string' && worker !== trigger.owner?.ownerId && worker !== workerName(trigger)) return false;
  const target = functions.get(trigger.functionId);
  if (internal !== true && target !== undefined && isInternal(target)) return false;
  return typeof search !== 'string' || includes(search, trigger.id, trigger.triggerType, trigger.functionId);
}

function includes(search: string, ...texts: string[]): boolean {
  const term = search.toLowerCase();
  return texts.some((text) => text.toLowerCase().includes(term));
}

function providerName(provider: TriggerType['provider'], id: string): string {
  return provider === null ? 'engine' : (provider.name ?? firstSegment(id));
}

function workerName({ owner, functionId }: Trigger): string {
  return owner?.name ?? firstSegment(functionId);
}

function isGiven(format: unknown): boolean {
  return format !== undefined && format !== null;
}
