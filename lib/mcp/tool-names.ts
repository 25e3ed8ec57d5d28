// What functions are called as tools: MCP names have neither colons nor room for long ids. A name follows from its id alone; the way back is
// a replacement for most ids, and a look at all of them for the rest.

import { createHash } from 'node:crypto';
import type { Functions } from '../functions/registry.ts';
import { MAX_SERVED_NAME_CHARS, SERVED_HASH_CHARS } from './bounds.ts';

/** Ids that can be told from their names: segments of the characters of names, and no `_` where `__` could be misread. */
const PLAIN = /^[A-Za-z0-9_.-]+(?:::[A-Za-z0-9_.-]+)*$/;
const AMBIGUOUS = /__|_::|::_/;

/** 1 to 64 of A-Z a-z 0-9 _ . - */
export function toToolName(functionId: string): string {
  const name = functionId.replaceAll('::', '__').replace(/[^A-Za-z0-9_.-]/g, '_');
  if (PLAIN.test(functionId) && !AMBIGUOUS.test(functionId) && name.length <= MAX_SERVED_NAME_CHARS) return name;
  const hash = createHash('sha256').update(functionId).digest('hex').slice(0, SERVED_HASH_CHARS);
  return `${name.slice(0, MAX_SERVED_NAME_CHARS - SERVED_HASH_CHARS - 1)}_${hash}`;
}

/** The way back, for the functions that there are. */
export class ToolNames {
  readonly #functions: Functions;
  /** Of the ids that cannot be told from their names; null after a change of what is registered. */
  #hashed: Map<string, string> | null = null;
  readonly stop: () => void;

  constructor(functions: Functions) {
    this.#functions = functions;
    this.stop = functions.onChange(() => (this.#hashed = null));
  }

  idOf(name: string): string | undefined {
    const plain = name.replaceAll('__', '::');
    if (this.#functions.get(plain) !== undefined && toToolName(plain) === name) return plain;
    this.#hashed ??= this.#readHashed();
    return this.#hashed.get(name);
  }

  #readHashed(): Map<string, string> {
    const hashed = new Map<string, string>();
    for (const { functionId } of this.#functions.values()) {
      const name = toToolName(functionId);
      // The first one keeps a name, should two ever have the same.
      if (name.replaceAll('__', '::') !== functionId && !hashed.has(name)) hashed.set(name, functionId);
    }
    return hashed;
  }
}
