// `engine::functions::*`: which functions there are, as far as whoever asks may see them.

import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import type { RegisteredFunction } from '../functions/function.ts';
import { functionView, isInternal } from '../functions/registry.ts';
import type { Functions } from '../functions/registry.ts';
import { FUNCTIONS_PER_INFO } from './bounds.ts';
import { engineFunction, listing, notFound, optional } from './engine-function.ts';
import type { EngineCall, EngineFunctions } from './engine-function.ts';
import type { Policy } from '../access/policy.ts';
import type { TriggerBook } from './trigger-book.ts';

export interface FunctionFilter {
  readonly search?: string | null | undefined;
  readonly prefix?: string | null | undefined;
  /** Id or name of the owner. */
  readonly worker?: string | null | undefined;
  readonly workers?: readonly string[] | null | undefined;
  readonly include_internal?: boolean | null | undefined;
}

const Filter = v.object({
  search: optional(v.string()),
  prefix: optional(v.string()),
  worker: optional(v.string()),
  workers: optional(v.array(v.string())),
  include_internal: optional(v.boolean()),
});
const Wanted = v.object({ function_id: optional(v.string()), function_ids: optional(v.array(v.string())) });

export function functionListFunctions(functions: Functions, book: TriggerBook, limitBytes: number): EngineFunctions {
  return {
    'engine::functions::list': engineFunction('Lists functions.', Filter, (filter, { policy }) =>
      listing('functions', functionRows(functions, filter, policy), limitBytes),
    ),
    'engine::functions::info': engineFunction('Describes functions.', Wanted, (wanted, call) => {
      const ids = wantedIds(wanted);
      const details = describe(functions, book, ids, call);
      if (typeof wanted.function_id !== 'string') {
        const rows = details.map((found, at) =>
          isRefused(found) ? { function_id: ids[at], error: found.error } : found,
        );
        return listing('functions', rows, limitBytes);
      }
      const [found] = details;
      if (found === undefined || !isRefused(found)) return found;
      if (found.error === 'not_found') throw notFound(`Function ${wanted.function_id}`);
      throw found.refusal;
    }),
  };
}

/** Ids that begin with what is searched for, or have it as a segment, come first; then other ids with it; then descriptions. */
export function functionRows(functions: Functions, filter: FunctionFilter, policy: Policy | null): object[] {
  const term = filter.search?.toLowerCase();
  const ranks: object[][] = [[], [], []];
  for (const found of functions.values()) {
    if (!isWanted(found, filter)) continue;
    const rank = rankOf(found, term);
    if (rank !== null && mayList(policy, found)) ranks[rank]?.push(functionRow(found));
  }
  return ranks.flat();
}

export function functionRow(found: RegisteredFunction): object {
  const { functionId, workerName, description, metadata } = functionView(found);
  return {
    function_id: functionId,
    worker_name: workerName,
    ...(description !== null && { description }),
    ...(metadata !== null && { metadata }),
  };
}

export function mayList(policy: Policy | null, { functionId, metadata }: RegisteredFunction): boolean {
  return policy === null || policy.listRefusal(functionId, metadata) === null;
}

function isWanted(
  found: RegisteredFunction,
  { prefix, worker, workers, include_internal: internal }: FunctionFilter,
): boolean {
  if (internal !== true && isInternal(found)) return false;
  if (typeof prefix === 'string' && !found.functionId.startsWith(prefix)) return false;
  const names = [...(typeof worker === 'string' ? [worker] : []), ...(workers ?? [])];
  if (names.length === 0) return true;
  const { workerId, workerName } = functionView(found);
  return names.includes(workerName) || names.includes(workerId);
}

function rankOf({ functionId, description }: RegisteredFunction, term: string | undefined): 0 | 1 | 2 | null {
  if (term === undefined) return 0;
  const id = functionId.toLowerCase();
  if (id.startsWith(term) || id.split('::').includes(term)) return 0;
  if (id.includes(term)) return 1;
  return description?.toLowerCase().includes(term) === true ? 2 : null;
}

type Refused = { readonly error: 'not_found' } | { readonly error: 'forbidden'; readonly refusal: GreenroomError };

function isRefused(found: object): found is Refused {
  return 'error' in found;
}

function wantedIds({ function_id: one, function_ids: many }: v.InferOutput<typeof Wanted>): string[] {
  const ids = typeof one === 'string' ? [one] : (many ?? []);
  if ((typeof one === 'string') === Array.isArray(many) || ids.length === 0 || ids.length > FUNCTIONS_PER_INFO) {
    const message = `Give either function_id or function_ids with 1 to ${FUNCTIONS_PER_INFO} ids.`;
    throw GreenroomError.of('invalid_request', { message });
  }
  return ids;
}

function describe(functions: Functions, book: TriggerBook, ids: string[], { policy }: EngineCall): object[] {
  const triggersOf = new Map<string, object[]>(ids.map((id) => [id, []]));
  for (const { id, triggerType, functionId, config } of book.triggers())
    triggersOf.get(functionId)?.push({ id, trigger_type: triggerType, config });
  return ids.map((id) => {
    const found = functions.get(id);
    if (found === undefined) return { error: 'not_found' };
    const refusal = policy?.listRefusal(id, found.metadata) ?? null;
    if (refusal !== null) return { error: 'forbidden', refusal };
    const { requestFormat, responseFormat } = functionView(found);
    return {
      ...functionRow(found),
      ...(requestFormat !== null && { request_schema: requestFormat }),
      ...(responseFormat !== null && { response_schema: responseFormat }),
      registered_triggers: triggersOf.get(id),
    };
  });
}
