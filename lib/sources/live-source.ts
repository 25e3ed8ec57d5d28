// One source while the runtime has it. What is done with it is done one after the other: a reading that is asked for while one is under
// way comes after it, and all that is asked for meanwhile is that one. Its end aborts what is under way. A reading takes effect in one
// step or not at all: what goes wrong leaves the functions of the reading before, and shows in its health.

import { asGreenroomError } from '../errors.ts';
import type { GreenroomError } from '../errors.ts';
import type { FunctionOwner } from '../functions/function.ts';
import { functionNotFound } from '../functions/registry.ts';
import type { Functions } from '../functions/registry.ts';
import { SOURCE_READ_TIMEOUT_MS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { isDoubled } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import type { SourceChange, SourcePreview, SourceStatus, SourceSummary, SourceView } from '../protocol/views.ts';
import { Again } from './again.ts';
import { CLOSE_TIMEOUT_MS } from './bounds.ts';
import { previewOf } from './preview.ts';
import { changeOf, offersOf, select } from './reading.ts';
import type { Selection } from './reading.ts';
import type { OpenSource, SourceDefinition, SourceHealth, SourceType } from './source.ts';
import { within } from '../protocol/waits.ts';

export interface LiveSourceParts {
  readonly functions: Functions;
  readonly limits: Limits;
  readonly log: Logger;
  loadType(type: string): Promise<SourceType>;
}

export class LiveSource {
  /** Without its settings once it is open: they are the type's, and may be as large as a document. */
  definition: SourceDefinition;
  readonly #parts: LiveSourceParts;
  readonly #owner: FunctionOwner;
  readonly #createdAt = new Date().toISOString();
  readonly #ending = new AbortController();
  readonly #again = new Again(() => void this.refresh().catch(ignoreLogged));
  #opened: OpenSource | null = null;
  /** Settles, and never rejects, when what was asked of it so far is done. */
  #line: Promise<unknown> = Promise.resolve();
  /** The reading that is asked for and has not begun. */
  #next: Promise<void> | null = null;
  #ended: Promise<void> | null = null;
  /** Whether it stays although a reading fails; then it is read again by itself. */
  #isKept = false;
  #isReading = false;
  #failures = 0;
  #error: string | null = null;
  /** Fingerprints of the functions that are registered, by id. */
  #fingerprints: ReadonlyMap<string, string> = new Map();
  #selection: Selection | null = null;
  #refreshedAt: string | null = null;
  #lastChange: SourceChange | null = null;

  constructor(definition: SourceDefinition, parts: LiveSourceParts) {
    this.definition = definition;
    this.#parts = parts;
    const { name } = definition;
    // Its functions have servers of their own.
    this.#owner = {
      ownerId: name,
      origin: 'group',
      name,
      serve: (fn) => Promise.reject(functionNotFound(fn.functionId)),
    };
  }

  /** Throws `worker_exists` or `invalid_request` when its name cannot be that of a group. */
  requireName(): void {
    this.#parts.functions.requireGroup(this.#owner, this.definition.name);
  }

  /** Loads its type and has it look at the settings; reads nothing. Rejects with `invalid_request`, or with what the type says. */
  prepare(): Promise<void> {
    return this.#inLine(async () => void (await this.#open(this.#ending.signal)));
  }

  /** From now on it stays, whatever becomes of its readings. */
  keep(): void {
    this.#isKept = true;
  }

  /** Reads it and applies what has changed. Rejects with what went wrong; with `cancelled` when it ends first. */
  refresh(): Promise<void> {
    this.#next ??= this.#inLine(() => {
      this.#next = null;
      return this.#refresh();
    });
    return this.#next;
  }

  /** Reads it, registers nothing, and says what would be. */
  preview(): Promise<SourcePreview> {
    return this.#inLine(async () => {
      const selection = await this.#read();
      const { functions } = this.#parts;
      functions.requireReplaceable(
        this.#owner,
        offersOf(this.definition.name, selection, () => undefined),
      );
      return previewOf(this.definition, selection);
    });
  }

  /** Withdraws its functions, aborts what is under way and closes it. Never rejects. Ending twice is ending once. */
  end(reason: GreenroomError): Promise<void> {
    this.#ended ??= this.#end(reason);
    return this.#ended;
  }

  get hasEnded(): boolean {
    return this.#ended !== null;
  }

  get status(): SourceStatus {
    if (this.#error !== null) return 'failed';
    const health = this.#opened?.health.status ?? 'connecting';
    return health === 'available' && this.#refreshedAt === null ? 'connecting' : health;
  }

  summary(): SourceSummary {
    const { name, type } = this.definition;
    return {
      name,
      type,
      title: this.#selection?.title ?? null,
      status: this.status,
      error: this.#error ?? this.#opened?.health.error ?? null,
      functions: this.#fingerprints.size,
      createdAt: this.#createdAt,
      refreshedAt: this.#refreshedAt,
      lastChange: this.#lastChange,
      unmappedTotal: this.#selection?.unmappedTotal ?? 0,
    };
  }

  view(): SourceView {
    return { ...this.summary(), unmapped: this.#selection?.unmapped ?? [] };
  }

  // --- private ---

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#line.then(work);
    // Who asked for it hears of its failure.
    this.#line = done.catch(() => undefined);
    return done;
  }

  async #refresh(): Promise<void> {
    this.#again.began();
    this.#isReading = true;
    try {
      const selection = await this.#read();
      // It may have ended in this very moment: its functions would be nobody's.
      this.#ending.signal.throwIfAborted();
      this.#apply(selection);
      if (this.#failures > 0) this.#parts.log.info(this.#label, 'a source can be read again');
      this.#failures = 0;
      this.#error = null;
    } catch (thrown) {
      this.#failed(asGreenroomError(thrown));
      throw thrown;
    } finally {
      this.#isReading = false;
    }
  }

  async #read(): Promise<Selection> {
    try {
      const read = async (signal: AbortSignal) => (await this.#open(signal)).read(signal);
      const reading = await within(SOURCE_READ_TIMEOUT_MS, [this.#ending.signal], read);
      return select(this.definition, reading, this.#parts.limits);
    } catch (thrown) {
      throw asGreenroomError(thrown);
    }
  }

  async #open(signal: AbortSignal): Promise<OpenSource> {
    if (this.#opened !== null) return this.#opened;
    const type = await this.#parts.loadType(this.definition.type);
    signal.throwIfAborted();
    this.#opened = type.open(this.definition, {
      changed: () => {
        if (!this.#ending.signal.aborted) this.#again.wish();
      },
      healthChanged: (health) => this.#healthChanged(health),
    });
    this.definition = { ...this.definition, settings: {} };
    return this.#opened;
  }

  #apply(selection: Selection): void {
    const { functions } = this.#parts;
    const change = changeOf(this.#fingerprints, selection);
    if (change.added + change.changed + change.removed > 0) {
      const kept = (functionId: string, fingerprint: string) =>
        this.#fingerprints.get(functionId) === fingerprint ? functions.get(functionId)?.server : undefined;
      functions.replaceAll(this.#owner, offersOf(this.definition.name, selection, kept));
    }
    this.#fingerprints = new Map(Array.from(selection.functions, ([id, { fingerprint }]) => [id, fingerprint]));
    // The functions are the registry's: their schemas are not to be held here as well.
    this.#selection = { ...selection, functions: new Map() };
    this.#lastChange = change;
    this.#refreshedAt = new Date().toISOString();
    this.#again.ended();
  }

  #failed({ code, cause }: GreenroomError): void {
    if (this.#ending.signal.aborted) return;
    this.#error = code;
    this.#failures++;
    this.#again.ended();
    if (!this.#isKept) return;
    this.#again.wish();
    if (!isDoubled(this.#failures)) return;
    // Messages of the causes name hosts and paths; the name of an error that is not ours says enough to find it.
    const error_name = code === 'internal' && cause instanceof Error ? cause.name : undefined;
    this.#parts.log.warn({ ...this.#label, code, error_name, failures: this.#failures }, 'a source cannot be read');
  }

  #healthChanged({ status, error }: SourceHealth): void {
    // What a reading makes of it is told with the reading.
    if (this.#ending.signal.aborted || !this.#isKept || this.#isReading) return;
    const level = status === 'failed' ? 'warn' : 'info';
    this.#parts.log[level]({ ...this.#label, status, code: error }, 'the health of a source has changed');
  }

  async #end(reason: GreenroomError): Promise<void> {
    this.#ending.abort(reason);
    this.#again.began();
    this.#parts.functions.releaseAll(this.#owner);
    this.#fingerprints = new Map();
    // Whatever is being read has been told so and is not waited for; nothing can be opened any more.
    const opened = this.#opened;
    if (opened === null) return;
    try {
      await within(CLOSE_TIMEOUT_MS, [], () => opened.close());
    } catch (thrown) {
      const { code } = asGreenroomError(thrown);
      this.#parts.log.warn({ ...this.#label, code }, 'a source could not be closed');
    }
  }

  get #label(): { source: string; type: string } {
    return { source: this.definition.name, type: this.definition.type };
  }
}

/** For readings that nobody waits for: what went wrong is in the log and in the health. */
export function ignoreLogged(): void {
  // Nothing more is to be said.
}
