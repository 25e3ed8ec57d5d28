// The actors that this runtime can start, by kind: found in folders, modules or URLs, loaded once for their schemas and
// bounds. The hosts load the same modules again, each in its own thread, to run them.

import { readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import type { ActorDefinition } from '../actor.ts';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import { withoutNotices } from '../host/ended-notices.ts';
import { withFunctions } from '../host/functions.ts';
import { loadActor } from '../host/modules.ts';
import { DEFAULT_MAILBOX, resolveMailbox } from '../limits.ts';
import type { Limits, MailboxLimits } from '../limits.ts';
import { WORKER_STATUSES } from '../protocol/views.ts';
import type { ActorView, Durability, Isolation, WorkerStatus } from '../protocol/views.ts';
import type { Rest } from '../store/store.ts';
import { Population } from './population.ts';

export interface Actor {
  readonly kind: string;
  /** URL of the module. */
  readonly module: string;
  /** As it is run: its `input` takes calls of its functions too. */
  readonly definition: ActorDefinition;
  readonly view: ActorView;
  readonly mailbox: MailboxLimits;
  readonly durability: Durability;
  /** What its workers run on unless they were promoted. */
  readonly isolation: Isolation;
  /** How long its workers are idle before they hibernate; 0 is never. */
  readonly idleAfterMs: number;
  /** How long an input may run; 0: as long as it takes. */
  readonly handlerTimeoutMs: number;
  /** It says itself that its workers never hibernate: they are started with the runtime. */
  readonly isPermanent: boolean;
  /** A store has workers of a kind that is not loaded: they can be looked at, stopped and deleted, and their inputs wait. */
  readonly isMissing: boolean;
  /** Its workers, by status. */
  readonly population: Population;
}

export class Catalog {
  readonly #actors: ReadonlyMap<string, Actor>;

  /** Stand-ins for actors that are not loaded, of which there are workers. */
  readonly #orphans = new Map<string, Actor>();

  private constructor(actors: ReadonlyMap<string, Actor>) {
    this.#actors = actors;
  }

  /** @param sources folders (every .js, .mjs or .ts module in them), paths of modules, or file URLs. Rejects with `invalid_actor`. */
  static async load(sources: readonly (string | URL)[], limits: Limits): Promise<Catalog> {
    const modules = (await Promise.all(sources.map(findModules))).flat();
    const actors = new Map<string, Actor>();
    for (const actor of await Promise.all(modules.map((module) => load(module, limits)))) {
      const other = actors.get(actor.kind);
      if (other !== undefined && other.module !== actor.module) {
        throw GreenroomError.of('invalid_actor', { message: `two actors have the kind ${actor.kind}` });
      }
      actors.set(actor.kind, actor);
    }
    return new Catalog(actors);
  }

  /** Throws `actor_not_found`. */
  require(kind: string): Actor {
    const actor = this.#actors.get(kind);
    if (actor === undefined)
      throw GreenroomError.of('actor_not_found', { message: `There is no actor of kind ${kind.slice(0, 128)}.` });
    return actor;
  }

  /** For a worker that is there already: its actor may be missing now. */
  find(kind: string): Actor {
    return this.#actors.get(kind) ?? this.#missing(kind);
  }

  has(kind: string): boolean {
    return this.#actors.has(kind);
  }

  /** Whether there is a worker in this status, of this kind. No status is any, and so is no kind. */
  hasAny({ status, kind }: { status?: string | undefined; kind?: string | undefined }): boolean {
    if (status === undefined) return true;
    const actors = kind === undefined ? this.#known() : [this.#actors.get(kind), this.#orphans.get(kind)];
    for (const actor of actors) if ((actor?.population.counts[status as WorkerStatus] ?? 0) > 0) return true;
    return false;
  }

  /** Those that are loaded, and stand-ins. */
  #known(): readonly Actor[] {
    return [...this.#actors.values(), ...this.#orphans.values()];
  }

  #missing(kind: string): Actor {
    const known = this.#orphans.get(kind);
    if (known !== undefined) return known;
    const definition: ActorDefinition = { kind, input: v.never(), receive: () => undefined };
    const mailbox = DEFAULT_MAILBOX;
    const view = describe(definition, mailbox, 0);
    const population = new Population();
    const actor = {
      kind,
      module: '',
      definition,
      view,
      mailbox,
      durability: 'durable',
      isolation: 'shared',
      idleAfterMs: 0,
      handlerTimeoutMs: 0,
      isPermanent: false,
      isMissing: true,
      population,
    } as const;
    this.#orphans.set(kind, actor);
    return actor;
  }

  /** Those that are loaded. */
  all(): Iterable<Actor> {
    return this.#actors.values();
  }

  /** Workers by status, without those that no worker is in. */
  counts(): Partial<Record<WorkerStatus, number>> {
    const counts: Partial<Record<WorkerStatus, number>> = {};
    for (const { population } of this.#known())
      for (const status of WORKER_STATUSES)
        if (population.counts[status] > 0) counts[status] = (counts[status] ?? 0) + population.counts[status];
    return counts;
  }

  /** Workers that a store has. */
  countStored(counts: ReadonlyMap<string, Readonly<Record<Rest, number>>>): void {
    for (const [kind, byRest] of counts)
      for (const [rest, count] of Object.entries(byRest)) this.find(kind).population.counts[rest as Rest] += count;
  }

  views(): ActorView[] {
    return [...this.#actors.values()].map(({ view }) => view).sort((a, b) => (a.kind < b.kind ? -1 : 1));
  }
}

async function load(module: string, limits: Limits): Promise<Actor> {
  const name = module.slice(module.lastIndexOf('/') + 1);
  try {
    const declared = await loadActor(module);
    const mailbox = resolveMailbox(declared.mailbox, limits);
    const definition = withoutNotices(withFunctions(declared));
    const { kind, durability = 'durable', isolation = 'shared', idleAfterMs = limits.idleAfterMs } = declared;
    return {
      kind,
      module,
      definition,
      view: describe(declared, mailbox, idleAfterMs),
      mailbox,
      durability,
      isolation,
      idleAfterMs,
      handlerTimeoutMs: declared.handlerTimeoutMs ?? 0,
      isPermanent: declared.idleAfterMs === 0,
      isMissing: false,
      population: new Population(),
    };
  } catch (thrown) {
    const error = asGreenroomError(thrown);
    throw GreenroomError.of(error.code === 'invalid_option' ? 'invalid_option' : 'invalid_actor', {
      message: `actor module ${name}: ${error.message}`,
      ...(error.details && { details: error.details }),
      cause: thrown,
    });
  }
}

async function findModules(source: string | URL): Promise<string[]> {
  let path: string;
  let isFolder: boolean;
  try {
    path = source instanceof URL || source.startsWith('file:') ? fileURLToPath(source) : resolve(source);
    isFolder = (await stat(path)).isDirectory();
  } catch (cause) {
    throw GreenroomError.of('invalid_actor', {
      message: `there is no actor folder or module ${String(source)}`,
      cause,
    });
  }
  if (!isFolder) return [pathToFileURL(path).href];
  const names = (await readdir(path)).filter((name) => /\.(js|mjs|ts)$/.test(name) && !name.endsWith('.d.ts'));
  return names.sort().map((name) => pathToFileURL(resolve(path, name)).href);
}

function describe(declared: ActorDefinition, mailbox: MailboxLimits, idleAfterMs: number): ActorView {
  const { kind, description = null, input, config, output, isolation = 'shared', functions = {} } = declared;
  const { durability = 'durable' } = declared;
  return {
    kind,
    description,
    inputSchema: jsonSchema(input),
    configSchema: jsonSchema(config),
    outputSchema: jsonSchema(output),
    isolation,
    durability,
    mailbox: { capacity: mailbox.capacity, maxBytes: mailbox.maxBytes },
    idleAfterMs,
    functions: Object.entries(functions).map(([name, called]) => ({
      functionId: `${kind}::${name}`,
      description: called.description ?? null,
      inputSchema: jsonSchema(called.input),
      outputSchema: jsonSchema(called.output),
    })),
  };
}

/** JSON Schema of what is accepted. Checks that JSON Schema cannot express are left out of it, not out of the validation. */
function jsonSchema(schema: v.GenericSchema | undefined): unknown {
  return schema === undefined
    ? true
    : toJsonSchema(schema, { typeMode: 'input', errorMode: 'ignore', target: 'draft-2020-12' });
}
