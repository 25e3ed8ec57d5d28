// The actors of one thread as its workers share them: each module loaded and checked once, and what many workers have in
// common kept once.

import type { ActorDefinition } from '../actor.ts';
import { requireValid } from '../protocol/issues.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { withEnded, withoutNotices } from './ended-notices.ts';
import { withFunctions } from './functions.ts';
import { loadActor } from './modules.ts';

/** Configs beyond these bounds are not likely to come again. */
const SHARED_CONFIGS = 256;
const SHARED_CONFIG_CHARS = 1_024;

export class LoadedActor {
  /** As it is run. */
  readonly definition: ActorDefinition;
  /** What is accepted from outside. */
  readonly input: ActorDefinition['input'];
  /** Small configs of its workers. */
  readonly #configs = new Map<string, string>();
  #firstState: Payload = '';

  constructor(definition: ActorDefinition, input: ActorDefinition['input']) {
    this.definition = definition;
    this.input = input;
  }

  /** The config of a worker. Throws `invalid_request`. */
  readConfig(config: Payload): unknown {
    const value = decode(config);
    const { config: schema } = this.definition;
    return schema === undefined ? value : requireValid(schema, value, 'invalid_request', 'config');
  }

  /** The text of a config, for its worker to keep: one for all that have the same. */
  share(config: Payload): Payload {
    if (typeof config !== 'string') return config;
    const known = this.#configs.get(config);
    if (known !== undefined) return known;
    if (config.length <= SHARED_CONFIG_CHARS && this.#configs.size < SHARED_CONFIGS) this.#configs.set(config, config);
    return config;
  }

  /** The same text again if a first state is equal to the one before: most are. */
  shareFirstState(state: Payload): Payload {
    if (state !== this.#firstState) this.#firstState = state;
    return this.#firstState;
  }
}

export class LoadedActors {
  readonly #actors = new Map<string, LoadedActor>();

  get(module: string): LoadedActor | undefined {
    return this.#actors.get(module);
  }

  /** Rejects with `invalid_actor`. */
  async load(module: string): Promise<LoadedActor> {
    const definition = withFunctions(await loadActor(module));
    const actor = this.#actors.get(module) ?? new LoadedActor(withEnded(definition), withoutNotices(definition).input);
    this.#actors.set(module, actor);
    return actor;
  }
}
