// The sources of a runtime, by name: made, listed, refreshed and deleted here, and nowhere else. A source that cannot be made leaves
// nothing; one that was made outlives the process in the store, and one of the configuration is made anew by every start.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import { MAX_PAGE_ITEMS, SOURCE_READ_TIMEOUT_MS } from '../limits.ts';
import { packLater, unpackLater } from '../protocol/packed.ts';
import { encode, isObject } from '../protocol/payload.ts';
import { problemsOf } from '../protocol/issues.ts';
import type { SourcePreview, SourceSummary, SourceView } from '../protocol/views.ts';
import type { SourceRecord, Store } from '../store/store.ts';
import { MAX_PREVIEWS, START_WAIT_MS, STARTS_AT_ONCE } from './bounds.ts';
import { decodeDefinition, parseDefinition } from './definition.ts';
import { ignoreLogged, LiveSource } from './live-source.ts';
import type { LiveSourceParts } from './live-source.ts';
import type { SourceDefinition, SourceType } from './source.ts';
import { within } from '../protocol/waits.ts';

/** What loads the code that reads sources of a type, by type. */
export type SourceTypes = Readonly<Record<string, () => Promise<SourceType>>>;

export interface SourcesParts extends Omit<LiveSourceParts, 'loadType'> {
  readonly store: Pick<Store, 'sources' | 'putSource' | 'deleteSource' | 'committed' | 'trouble'>;
  readonly types: SourceTypes;
}

/** Who makes a source, and how long they want it. */
export interface SourceMaking {
  /** Whether it is the operator or an embedding Backend, who may start processes; not somebody over REST. */
  readonly isFromOperator: boolean;
  /** Aborting gives up: nothing is left. */
  readonly signal?: AbortSignal | undefined;
}

export interface SourcesQuery {
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined;
  /** Only names above this one. */
  readonly after?: string | undefined;
}

const DEFAULT_PAGE_ITEMS = 100;

export class Sources {
  readonly #parts: SourcesParts;
  readonly #liveParts: LiveSourceParts;
  readonly #sources = new Map<string, LiveSource>();
  readonly #previews = new Set<LiveSource>();
  readonly #types = new Map<string, Promise<SourceType>>();
  #isClosed = false;

  constructor(parts: SourcesParts) {
    this.#parts = parts;
    this.#liveParts = { ...parts, loadType: (type) => this.#loadType(type) };
  }

  /**
   * Makes the sources that the configuration names and those of the store. Resolves when they are read, and after START_WAIT_MS at the
   * latest: one that cannot be read is listed as failed, and tried again. Rejects with `invalid_option` for a definition of the
   * configuration that is not valid; one of the store is then a line in the log.
   */
  async open(configured: readonly unknown[]): Promise<void> {
    const starting: LiveSource[] = [];
    for (const [index, document] of configured.entries()) starting.push(await this.#configure(document, index));
    for (const record of this.#parts.store.sources()) {
      const restored = await this.#restore(record);
      if (restored !== null) starting.push(restored);
    }
    for (const source of starting) source.keep();
    if (starting.length === 0) return;
    const line = [...starting];
    const startNext = async (): Promise<void> => {
      for (let source = line.shift(); source !== undefined; source = line.shift())
        await source.refresh().catch(ignoreLogged);
    };
    const started = Promise.all(Array.from({ length: STARTS_AT_ONCE }, startNext));
    // What is too late goes on without anybody waiting for it.
    await within(START_WAIT_MS, [], () => started).catch(ignoreLogged);
  }

  /**
   * Makes a source and reads it. The document is a value, or bytes of JSON. Rejects with `invalid_request`, `worker_exists` when there is
   * a source or a worker of that name, `function_exists`, `invalid_source`, `runtime_overloaded` when there are too many, `timeout`,
   * `cancelled`, `runtime_unavailable` while the store cannot write, or with what the type says.
   */
  async create(document: unknown, { isFromOperator, signal }: SourceMaking): Promise<SourceView> {
    this.#requireWritable();
    const encoded = document instanceof Uint8Array ? document : encode(document);
    const definition = await this.#parse(document, isFromOperator);
    const source = this.#add(definition);
    try {
      source.requireName();
      await untilAborted(source.refresh(), signal);
      const packed = await packLater(encoded);
      // Deleted, or closed, while it was on its way here.
      if (source.hasEnded) throw GreenroomError.of('cancelled');
      await this.#keep({ name: definition.name, document: packed, isFromOperator });
      source.keep();
      return source.view();
    } catch (thrown) {
      await this.#remove(source, GreenroomError.of('cancelled'));
      throw thrown;
    }
  }

  /** What `create` would make, without a trace of it. Rejects as `create` does. */
  async preview(document: unknown, { isFromOperator, signal }: SourceMaking): Promise<SourcePreview> {
    const definition = await this.#parse(document, isFromOperator);
    this.#requireNew(definition.name);
    if (this.#previews.size >= MAX_PREVIEWS) {
      const details = { max_dry_runs: MAX_PREVIEWS };
      throw GreenroomError.of('runtime_overloaded', { message: 'Too many dry runs are under way.', details });
    }
    const source = new LiveSource(definition, this.#liveParts);
    this.#previews.add(source);
    try {
      source.requireName();
      return await untilAborted(source.preview(), signal);
    } finally {
      await source.end(GreenroomError.of('cancelled'));
      this.#previews.delete(source);
    }
  }

  /** A page of them, ascending by name. */
  list({ limit = DEFAULT_PAGE_ITEMS, after = '' }: SourcesQuery = {}): {
    sources: SourceSummary[];
    nextAfter: string | null;
  } {
    const items = Math.min(limit, MAX_PAGE_ITEMS);
    const names = [...this.#sources.keys()].filter((name) => name > after).sort();
    const sources = names.slice(0, items).map((name) => this.#require(name).summary());
    return { sources, nextAfter: names.length > items ? (sources.at(-1)?.name ?? null) : null };
  }

  /** Throws `not_found`. */
  view(name: string): SourceView {
    return this.#require(name).view();
  }

  get counts(): { total: number; failed: number } {
    let failed = 0;
    for (const { status } of this.#sources.values()) if (status === 'failed') failed++;
    return { total: this.#sources.size, failed };
  }

  /**
   * Reads it again, and applies what has changed in one step. Rejects with `not_found`, or with what is wrong: then the functions that
   * were there go on. Aborting ends the wait, not the reading.
   */
  async refresh(name: string, signal?: AbortSignal): Promise<SourceView> {
    const source = this.#require(name);
    await untilAborted(source.refresh(), signal);
    return source.view();
  }

  /**
   * Its functions go at once; resolves when what was open for it is closed, and the store has let go of it. Rejects with `not_found`, and
   * `runtime_unavailable` while the store cannot write; if that began meanwhile, the source is gone, perhaps only until a restart.
   */
  async delete(name: string): Promise<SourceView> {
    const source = this.#require(name);
    this.#requireWritable();
    const view = source.view();
    this.#parts.store.deleteSource(name);
    await this.#remove(source, GreenroomError.of('cancelled', { message: 'The source was deleted.' }));
    await this.#parts.store.committed();
    return view;
  }

  /** Ends all of them; the store keeps those that it has. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const reason = GreenroomError.of('runtime_unavailable', { message: 'The runtime is closing.' });
    const previews = [...this.#previews].map((source) => source.end(reason));
    const ends = [...this.#sources.values()].map((source) => this.#remove(source, reason));
    await Promise.all([...previews, ...ends]);
  }

  // --- private ---

  /** What could not be kept should not be begun. */
  #requireWritable(): void {
    const { trouble } = this.#parts.store;
    if (trouble !== null) throw trouble;
  }

  /** Resolves when it is kept. What cannot be kept now would be kept later, when its maker has been told that it was refused. */
  async #keep(record: SourceRecord): Promise<void> {
    const { store } = this.#parts;
    store.putSource(record);
    try {
      await store.committed();
    } catch (thrown) {
      store.deleteSource(record.name);
      throw thrown;
    }
  }

  async #parse(document: unknown, isFromOperator: boolean): Promise<SourceDefinition> {
    const value = document instanceof Uint8Array ? await decodeDefinition(document) : document;
    return parseDefinition(value, Object.keys(this.#parts.types), isFromOperator);
  }

  /** Throws `invalid_option`, naming the key. */
  async #configure(document: unknown, index: number): Promise<LiveSource> {
    try {
      const source = this.#add(await this.#parse(document, true));
      source.requireName();
      await source.prepare();
      return source;
    } catch (thrown) {
      const error = asGreenroomError(thrown);
      const given = isObject(document) && typeof document['name'] === 'string' ? ` (${document['name']})` : '';
      throw GreenroomError.of('invalid_option', {
        message: `sources[${index}]${given}: ${problemsOf(error).join('; ') || error.message}`,
        cause: thrown,
      });
    }
  }

  async #restore({ name, document, isFromOperator }: SourceRecord): Promise<LiveSource | null> {
    try {
      return this.#add(await this.#parse(await unpackLater(document), isFromOperator));
    } catch (thrown) {
      const { code } = asGreenroomError(thrown);
      this.#parts.log.warn({ source: name, code }, 'a source of the store cannot be restored');
      return null;
    }
  }

  #add(definition: SourceDefinition): LiveSource {
    const { maxSources } = this.#parts.limits;
    this.#requireNew(definition.name);
    if (this.#sources.size >= maxSources) {
      const message = 'There are as many sources as there may be.';
      throw GreenroomError.of('runtime_overloaded', { message, details: { max_sources: maxSources } });
    }
    const source = new LiveSource(definition, this.#liveParts);
    this.#sources.set(definition.name, source);
    return source;
  }

  /** Its name is free when it has ended, and not before. */
  async #remove(source: LiveSource, reason: GreenroomError): Promise<void> {
    await source.end(reason);
    const { name } = source.definition;
    if (this.#sources.get(name) === source) this.#sources.delete(name);
  }

  #requireNew(name: string): void {
    if (this.#isClosed) throw GreenroomError.of('runtime_unavailable', { message: 'The runtime is closing.' });
    if (!this.#sources.has(name)) return;
    throw GreenroomError.of('worker_exists', { message: `There is a source called ${name}.` });
  }

  #require(name: string): LiveSource {
    const source = this.#sources.get(name);
    if (source === undefined) throw GreenroomError.of('not_found', { message: 'There is no source of that name.' });
    return source;
  }

  /** Once for all sources of a type; a type that could not be loaded is tried again by the next. */
  #loadType(type: string): Promise<SourceType> {
    const known = this.#types.get(type);
    if (known !== undefined) return known;
    const load = this.#parts.types[type] as () => Promise<SourceType>;
    const loading = load();
    this.#types.set(type, loading);
    loading.catch(() => this.#types.delete(type));
    return loading;
  }
}

/** Rejects with `cancelled`, or the reason that is an error of ours, when the signal aborts first. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  // A reading waits for one other at most.
  return within(2 * SOURCE_READ_TIMEOUT_MS, [signal], () => promise);
}
