// A schema of the document becomes one of JSON Schema 2020-12: what OpenAPI adds is translated or taken out, what is not of the kind that
// its keyword needs is taken out, and references lead to `$defs`. Each schema that is referred to is translated once, whoever needs it.

import { createHash } from 'node:crypto';
import { isObject } from '../protocol/payload.ts';
import type { SourceDocument } from './document.ts';
import { Unmappable, referenceOf } from './references.ts';
import type { Located, References, Target } from './references.ts';
import { Cycles, IN_PLACE } from './schema-cycles.ts';
import { addBounds, addDefault, addType, dropPatterns, nullable, withPattern } from './schema-dialect.ts';
import { encode, shortened } from './encoding.ts';
import { CHECKED, keywordValue, NOTES } from './schema-keywords.ts';
import { listOf, memberOf } from './values.ts';
import type { Members } from './values.ts';

/** A request leaves out what is read-only, a response what is write-only. */
export type Direction = 'request' | 'response';

export interface Definition {
  readonly name: string;
  readonly text: string;
  /** What it refers to. */
  readonly uses: ReadonlySet<Target>;
  /** What was left open in it. */
  readonly notes: ReadonlySet<string>;
}

/** Where a translation takes place, and what it finds. */
export interface SchemaScope {
  readonly direction: Direction;
  readonly document: SourceDocument;
  readonly uses: Set<Target>;
  readonly notes: Set<string>;
  /** The definition that is being translated; null in what an operation holds itself. */
  readonly self: Target | null;
}

const KEYWORDS = { ...CHECKED, ...NOTES };

export class Schemas {
  readonly #references: References;
  /** Up to 3.0, what stands beside a `$ref` means nothing. */
  readonly #isLegacy: boolean;
  readonly #definitions = new Map<string, Definition>();
  readonly #targets = new Map<string, Target>();
  readonly #cycles: Cycles;

  constructor(references: References, isLegacy: boolean) {
    this.#references = references;
    this.#cycles = new Cycles(references);
    this.#isLegacy = isLegacy;
  }

  definition(target: Target, direction: Direction): Definition {
    const key = `${direction} ${target.key}`;
    const known = this.#definitions.get(key);
    if (known !== undefined) return known;
    const scope = {
      direction,
      document: target.document,
      uses: new Set<Target>(),
      notes: new Set<string>(),
      self: target,
    };
    const text = encode(this.translate(target.value, scope));
    const definition = { name: definitionName(target), text, uses: scope.uses, notes: scope.notes };
    this.#definitions.set(key, definition);
    return definition;
  }

  /** @param isInPlace whether it applies to the same value as the definition that is being translated */
  translate(schema: unknown, scope: SchemaScope, isInPlace = true): unknown {
    if (typeof schema === 'boolean') return schema;
    if (!isObject(schema)) return {};
    const reference = referenceOf(schema);
    if (reference === null) return this.#keywords(schema, scope, isInPlace);
    const found = this.#reference(reference, scope, isInPlace);
    if (this.#isLegacy) return typeof schema['description'] === 'string' ? { ...found, ...describe(schema) } : found;
    return { ...this.#keywords(schema, scope, isInPlace), ...found };
  }

  /** A schema with its references followed: for whoever has to look into it. */
  resolve(schema: unknown, document: SourceDocument): Located {
    return this.#references.follow(schema, document);
  }

  #reference(reference: string, scope: SchemaScope, isInPlace: boolean): Members {
    try {
      const found = this.#references.locate(reference, scope.document);
      if (typeof found.value !== 'boolean' && !isObject(found.value))
        throw new Unmappable('A reference leads to no schema.');
      // The same object for the same place: sets of targets hold each once.
      const target = this.#targets.get(found.key) ?? found;
      this.#targets.set(target.key, target);
      if (isInPlace && scope.self !== null && this.#cycles.leadsTo(target, scope.self)) {
        throw new Unmappable('A schema applies itself to the same value without end.');
      }
      scope.uses.add(target);
      return { $ref: `#/$defs/${definitionName(target)}` };
    } catch (error) {
      if (!(error instanceof Unmappable)) throw error;
      scope.notes.add(`A part of a schema is left open. ${error.message}`);
      return {};
    }
  }

  #keywords(schema: Members, scope: SchemaScope, isInPlace: boolean): Members {
    const result: Record<string, unknown> = {};
    for (const [keyword, value] of Object.entries(schema)) {
      const kind = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
      if (kind === undefined) continue;
      const isSame = isInPlace && IN_PLACE.has(keyword);
      const translated = keywordValue(kind, value, (inner) => this.translate(inner, scope, isSame));
      if (translated !== undefined) result[keyword] = kind === 'text' ? shortened(translated as string) : translated;
    }
    if (Array.isArray(schema['items'])) this.#tuple(schema, result, scope);
    this.#required(schema, result, scope);
    addType(schema, result);
    addBounds(schema, result);
    addDefault(schema, result);
    if (typeof schema['$dynamicRef'] === 'string')
      scope.notes.add('A part of a schema is left open: its reference is dynamic.');
    dropPatterns(result, scope.notes);
    const whole = schema['nullable'] === true ? nullable(result) : result;
    return typeof schema['pattern'] === 'string' ? withPattern(whole, schema['pattern'], scope.notes) : whole;
  }

  /** A list of schemas for `items`, as it was until 2019. */
  #tuple(schema: Members, result: Record<string, unknown>, scope: SchemaScope): void {
    result['prefixItems'] = listOf(schema['items']).map((item) => this.translate(item, scope, false));
    const rest = schema['additionalItems'];
    if (typeof rest === 'boolean' || isObject(rest)) result['items'] = this.translate(rest, scope, false);
  }

  #required(schema: Members, result: Record<string, unknown>, scope: SchemaScope): void {
    const required = result['required'] as readonly string[] | undefined;
    if (required === undefined) return;
    const mark = scope.direction === 'request' ? 'readOnly' : 'writeOnly';
    const left = required.filter((name) => !this.#isMarked(memberOf(schema['properties'], name), mark, scope));
    if (left.length === 0) delete result['required'];
    else result['required'] = left;
  }

  #isMarked(property: unknown, mark: string, { document }: SchemaScope): boolean {
    if (memberOf(property, mark) === true) return true;
    if (referenceOf(property) === null) return false;
    try {
      return memberOf(this.resolve(property, document).value, mark) === true;
    } catch (error) {
      // What leads nowhere is noted where it is translated.
      if (error instanceof Unmappable) return false;
      throw error;
    }
  }
}

/** The name in `components`; for any other place, and for a name that is not plain, one that is made of its address. */
function definitionName({ document, key, segments }: Target): string {
  const last = segments.at(-1) ?? 'document';
  const plain = last.replace(/[^A-Za-z0-9_.-]+/g, '_').slice(0, 64);
  const isComponent =
    (segments.length === 3 && segments[0] === 'components' && segments[1] === 'schemas') ||
    (segments.length === 2 && segments[0] === 'definitions');
  if (isComponent && plain === last && document.isMain) return plain;
  return `${plain}_${createHash('sha256').update(key).digest('hex').slice(0, 8)}`;
}

function describe(schema: Members): Members {
  return { description: shortened(String(schema['description'])) };
}
