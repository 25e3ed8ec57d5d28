// The composition root: the only file that knows which store, which hosts and which catalog a runtime is made of.

import { readFileSync } from 'node:fs';
import { v5 as uuidv5, v7 as uuidv7 } from 'uuid';
import { Channels } from './channels/channels.ts';
import { Groups } from './functions/groups.ts';
import { Peers } from './functions/peers.ts';
import { Functions } from './functions/registry.ts';
import { chooseHosts } from './host/choose.ts';
import type { MakeHosts } from './host/choose.ts';
import { resolveLimits } from './limits.ts';
import type { Limits } from './limits.ts';
import { openStore } from './open-store.ts';
import type { StoreOptions } from './open-store.ts';
import { Outside } from './outside.ts';
import type { OutsideOptions } from './outside.ts';
import { silentLog } from './observe/log.ts';
import type { Logger } from './observe/log.ts';
import { ENGINE_NAME } from './protocol/function-ids.ts';
import { enterThread } from './protocol/residents.ts';
import { Wheel } from './protocol/wheel.ts';
import type { Store } from './store/store.ts';
import { ActorChannels } from './supervisor/actor-channels.ts';
import { actorCalls } from './supervisor/actor-calls.ts';
import { registerActorFunctions } from './supervisor/actor-functions.ts';
import { Catalog } from './supervisor/catalog.ts';
import type { SupervisorOptions } from './supervisor/options.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { Runtime } from './embedded.ts';

export { Runtime } from './embedded.ts';
export type { ActorRequest, CreateOutcome, InvokeOptions } from './embedded.ts';

export interface RuntimeOptions extends OutsideOptions, StoreOptions {
  /** Folders (every module in them), paths of modules, or file URLs. */
  readonly actors: readonly (string | URL)[];
  /** Threads that run workers; 0 runs them on the main thread, for tests and debugging. Default: one less than the cores, 1 to 8. */
  readonly hosts?: number | undefined;
  /** Default: one that a durable store gives whenever it is opened; a UUIDv7 otherwise. */
  readonly runtimeId?: string | undefined;
  readonly displayName?: string | undefined;
  /** Each has a default; see limits.ts. */
  readonly limits?: Partial<Limits> | undefined;
  /** Default: says nothing. */
  readonly log?: Logger | undefined;
}

/** What the ids of runtimes are made in; any other constant would do. */
const RUNTIME_ID_NAMESPACE = '0e1f3b7c-6f4b-4f0e-9d2a-6b1f2c9d7a55';

/**
 * Starts a runtime; with a durable store it resolves when what the store holds is back. Rejects with `invalid_option`,
 * `invalid_actor`, `store_in_use`, `store_version`, `store_corrupt`, `store_failed`, or the cause why a host cannot start.
 */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const leave = enterThread();
  try {
    const runtime = await createRuntimeOn(chooseHosts(options.hosts), options);
    runtime.closed.then(leave, leave);
    return runtime;
  } catch (thrown) {
    leave();
    throw thrown;
  }
}

/** For simulations: on hosts of somebody else. */
export async function createRuntimeOn(makeHosts: MakeHosts, options: Omit<RuntimeOptions, 'hosts'>): Promise<Runtime> {
  const limits = resolveLimits(options.limits);
  const log = options.log ?? silentLog;
  const catalog = await Catalog.load(options.actors, limits);
  const store = await openStore(options, limits, log);
  let runtime: Runtime;
  try {
    runtime = await assemble(options, { limits, makeHosts, log, catalog, store });
  } catch (thrown) {
    await store.close();
    throw thrown;
  }
  try {
    await runtime.outside.open();
  } catch (thrown) {
    await runtime.close({ deadlineMs: 0 });
    throw thrown;
  }
  return runtime;
}

type Parts = Pick<SupervisorOptions, 'limits' | 'log' | 'catalog' | 'store'> & { readonly makeHosts: MakeHosts };

async function assemble(options: Omit<RuntimeOptions, 'hosts'>, parts: Parts): Promise<Runtime> {
  const { limits, makeHosts, log, catalog, store } = parts;
  const { inputIdPrefix } = store;
  const channels = new Channels(limits);
  const actorChannels = new ActorChannels(channels);
  const peers = new Peers();
  const version = readVersion();
  const wheel = new Wheel();
  const supervisor = new Supervisor({
    wheel,
    identity: {
      runtimeId: options.runtimeId ?? runtimeIdOf(store),
      displayName: options.displayName ?? null,
      version,
    },
    limits,
    catalog,
    store,
    log,
    onLeft: (workerId) => actorChannels.closeOf(workerId),
    hasChannels: (workerId) => actorChannels.has(workerId),
    peers,
  });
  const functions: Functions = new Functions(
    new Groups({
      peers,
      version,
      isWorker: (name) => name === ENGINE_NAME || supervisor.hasName(name) || peers.isRemote(name),
      countOf: (group) => functions.countListed(group),
    }),
  );
  const checkPayload = (bytes: Uint8Array) => supervisor.checkPayload(bytes);
  const outside = new Outside(options, { functions, channels, version, limits, log, store, checkPayload });
  registerActorFunctions(supervisor, functions);
  const services = actorCalls(supervisor, functions, actorChannels, log);
  const { factory, count } = makeHosts({ inputIdPrefix, limits, services, wheel });
  await supervisor.open(factory, count);
  return new Runtime({ supervisor, functions, peers, channels, outside });
}

/** A durable store stays the same runtime: what its ids of inputs begin with was made with it and is never changed. */
function runtimeIdOf({ isDurable, inputIdPrefix }: Store): string {
  return isDurable ? uuidv5(inputIdPrefix, RUNTIME_ID_NAMESPACE) : uuidv7();
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
