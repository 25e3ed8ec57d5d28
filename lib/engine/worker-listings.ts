// `engine::workers::*`: what a remote says of itself, and one listing of everything that serves functions.
// In-process there is one entry for each kind of actor that serves functions and one for the runtime: its workers by the million
// are for `GET /v1/workers`, which has pages.

import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import type { ListedWorker } from '../functions/function.ts';
import type { Peers } from '../functions/peers.ts';
import { isInternal } from '../functions/registry.ts';
import type { Functions } from '../functions/registry.ts';
import type { PeerView } from '../protocol/views.ts';
import { MAX_LABEL_CHARS } from './bounds.ts';
import { engineFunction, listing, notFound, optional } from './engine-function.ts';
import type { EngineCall, EngineFunctions } from './engine-function.ts';
import { functionRow, mayList } from './function-listings.ts';
import { isVisible, triggerRow, typeRow } from './trigger-listings.ts';
import { cleanText } from './labels.ts';
import type { RemoteProfile } from './remote.ts';
import type { Triggers } from './triggers.ts';

export interface WorkerListParts {
  readonly functions: Functions;
  readonly peers: Peers;
  readonly triggers: Triggers;
  readonly maxMessageBytes: number;
  /** Of the runtime. */
  readonly version: string;
  readonly startedAtMs: number;
}

const TEXTS = ['name', 'description', 'runtime', 'version', 'os', 'isolation'] as const;
const Self = v.object({
  ...v.entriesFromList(TEXTS, optional(v.string())),
  pid: optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
});
const Filter = v.object({ search: optional(v.string()), runtime: optional(v.string()), status: optional(v.string()) });
const Wanted = v.object({ name: v.string() });

type WorkerRow = ReturnType<typeof peerRow>;

export function workerFunctions(parts: WorkerListParts): EngineFunctions {
  return {
    'engine::workers::register': engineFunction('Takes what a remote says of itself.', Self, (self, { session }) => {
      if (session === null) {
        const message = 'Only a remote that is connected can say what it is.';
        throw GreenroomError.of('unsupported_operation', { message });
      }
      Object.assign(session.profile, cleanDescription(self));
      parts.triggers.workerChanged('worker_metadata_updated', session.ownerId);
      return { success: true };
    }),
    'engine::workers::list': engineFunction('Lists workers.', Filter, ({ search, runtime, status }) => {
      const peers = peerViews(parts.peers, status === 'disconnected').filter(hasSaidItself);
      const rows = [...inProcessRows(parts), ...peers.map(peerRow)].filter(
        (row) =>
          (typeof search !== 'string' || (row.name?.toLowerCase().includes(search.toLowerCase()) ?? false)) &&
          (typeof runtime !== 'string' || row.runtime === runtime) &&
          (typeof status !== 'string' || row.status === status),
      );
      return listing('workers', rows.sort(byName), parts.maxMessageBytes);
    }),
    'engine::workers::info': engineFunction('Describes a worker.', Wanted, ({ name }, call) =>
      workerInfo(parts, name, call),
    ),
  };
}

/** What is blank, or has nothing that can be shown, is as good as not said. */
function cleanDescription({ pid, ...texts }: v.InferOutput<typeof Self>): Partial<RemoteProfile> {
  const said = TEXTS.map((key) => [key, cleanText(texts[key] ?? '', MAX_LABEL_CHARS)] as const);
  return {
    ...(Object.fromEntries(said.filter(([, text]) => text !== undefined)) as Partial<RemoteProfile>),
    ...(typeof pid === 'number' && { pid }),
  };
}

function workerInfo(parts: WorkerListParts, wanted: string, { policy }: EngineCall): object {
  const { functions, triggers } = parts;
  const named = ({ name, id }: WorkerRow): boolean => name === wanted || id === wanted;
  // In-process first, then groups: a remote must not be able to pose as a part of the runtime, whatever it calls itself.
  const peers = peerViews(parts.peers, false).sort(
    (a, b) => Number(a.origin !== 'group') - Number(b.origin !== 'group'),
  );
  const row = inProcessRows(parts).find(named) ?? peers.map(peerRow).find(named);
  if (row === undefined) throw notFound(`Worker ${wanted}`);
  const pid = peers.find(({ workerId }) => workerId === row.id)?.pid ?? null;
  const owned = [...functions.values()].filter(({ worker }) => worker.ownerId === row.id);
  const isRuntime = owned.some(({ worker }) => worker.origin === 'runtime');
  const shown = owned.filter((found) => mayList(policy, found) && (isRuntime || !isInternal(found)));
  const types = triggers.book
    .types()
    .filter(({ provider }) => (isRuntime ? provider === null : provider?.ownerId === row.id));
  const bound = triggers.book
    .triggers()
    .filter(({ owner }) => (isRuntime ? owner === null : owner?.ownerId === row.id));
  return {
    worker: { ...row, ...(pid !== null && { pid }), internal: isRuntime },
    functions: shown.map(functionRow),
    trigger_types: types.map(typeRow),
    registered_triggers: bound.filter((trigger) => isVisible(trigger, functions, policy)).map(triggerRow),
  };
}

function inProcessRows({ functions, version, startedAtMs }: WorkerListParts): WorkerRow[] {
  const workers = new Set<ListedWorker>();
  for (const { worker } of functions.values())
    if (worker.origin === 'actor' || worker.origin === 'runtime') workers.add(worker);
  return [...workers].map((worker) => ({
    name: worker.name,
    description: null,
    version,
    id: worker.ownerId,
    runtime: 'engine',
    os: null,
    status: 'available',
    function_count: functions.countListed(worker),
    connected_at_ms: startedAtMs,
    active_invocations: 0,
    isolation: 'in-process',
    ip_address: null,
  }));
}

function peerViews(peers: Peers, wantsLost: boolean): PeerView[] {
  return peers.views().filter(({ status }) => (status === 'disconnected') === wantsLost);
}

/** A socket that never said what it is is connecting, or there for its telemetry only. */
function hasSaidItself({ origin, pid }: PeerView): boolean {
  return origin === 'group' || pid !== null;
}

function peerRow(view: PeerView) {
  return {
    name: view.displayName,
    description: view.description,
    version: view.version,
    id: view.workerId,
    runtime: view.runtime,
    os: view.os,
    status: view.status as string,
    function_count: view.functions,
    connected_at_ms: Date.parse(view.connectedAt),
    active_invocations: view.inFlight,
    isolation: view.isolation,
    ip_address: view.address,
  };
}

/** By name, by id where there is none; then by id. */
function byName(a: WorkerRow, b: WorkerRow): number {
  return compare(a.name ?? a.id, b.name ?? b.id) || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
