// Whether a payload fits the schema of its operation, before anything is sent. What is found names the place and never the value.

import { dereference, validate } from '@cfworker/json-schema';
import type { OutputUnit, Schema, ValidationResult } from '@cfworker/json-schema';
import { GreenroomError } from '../errors.ts';
import type { Issue } from '../protocol/issues.ts';
import { MAX_ISSUES, MAX_MESSAGE_CHARS, MAX_STEPS } from './bounds.ts';
import { countedSchema, Steps, StepsExceeded } from './schemas.ts';
import type { PlainSchema } from './schemas.ts';
import { invalidAt } from './styles.ts';

/** The schema of one operation, ready to be used. */
export class PayloadSchema {
  readonly #steps = new Steps();
  readonly #maxSteps: number;
  readonly #schema: PlainSchema;
  readonly #lookup: Record<string, Schema | boolean>;

  /** @param text a JSON Schema. Throws `invalid_source` when it cannot be used. */
  constructor(text: string, maxSteps: number) {
    this.#maxSteps = maxSteps;
    try {
      this.#schema = countedSchema(JSON.parse(text), this.#steps);
      this.#lookup = dereference(this.#schema);
    } catch (cause) {
      throw unusable(cause);
    }
  }

  /** Throws `invalid_input`; `invalid_source` when the schema refers to what is not there. */
  check(payload: Readonly<Record<string, unknown>>): void {
    // One after the other stops at the first mistake and is cheap; all of them are looked for when there is one.
    const first = this.#run(payload, this.#maxSteps, true);
    if (first.valid) return;
    // Beyond the first, everything that is wrong takes memory.
    const further = this.#maxSteps - this.#steps.left + MAX_STEPS;
    throw GreenroomError.of('invalid_input', {
      message: 'The function does not accept this payload.',
      details: { issues: issuesOf(this.#all(payload, Math.min(further, this.#maxSteps)) ?? first.errors) },
    });
  }

  #run(payload: unknown, maxSteps: number, isShort: boolean): ValidationResult {
    this.#steps.left = maxSteps;
    try {
      return validate(payload, this.#schema, '2020-12', this.#lookup, isShort);
    } catch (cause) {
      // A schema that leads back to itself at the same value fills the stack before its steps are used up.
      if (cause instanceof StepsExceeded || cause instanceof RangeError) {
        throw GreenroomError.of('invalid_input', { message: 'The payload takes too many steps to check.' });
      }
      // The validator writes names of properties into URLs, which cannot hold half a character.
      if (cause instanceof URIError) throw invalidAt('', 'a key is not valid Unicode');
      throw unusable(cause);
    }
  }

  /** Null: there are too many. */
  #all(payload: unknown, maxSteps: number): readonly OutputUnit[] | null {
    try {
      return this.#run(payload, maxSteps, false).errors;
    } catch {
      // Those of the first run are an answer, too.
      return null;
    }
  }
}

function unusable(cause: unknown): GreenroomError {
  return GreenroomError.of('invalid_source', {
    message: 'The schema that the document has for this function cannot be used.',
    cause,
  });
}

// --- what callers are told ---

/** Keywords that only say that something within is wrong, which has an error of its own. */
const WRAPPERS = new Set(
  '$ref properties items prefixItems allOf then else additionalProperties unevaluatedProperties unevaluatedItems patternProperties dependentSchemas propertyNames if'.split(
    ' ',
  ),
);

function issuesOf(errors: readonly OutputUnit[]): Issue[] {
  const alternatives = errors.flatMap(({ keyword, keywordLocation }) =>
    keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'not' ? [`${keywordLocation}/`] : [],
  );
  const issues = new Map<string, Issue>();
  for (const error of errors) {
    if (WRAPPERS.has(error.keyword) || alternatives.some((begin) => error.keywordLocation.startsWith(begin))) continue;
    const issue = issueOf(error);
    issues.set(JSON.stringify(issue), issue);
    if (issues.size === MAX_ISSUES) break;
  }
  return issues.size > 0 ? [...issues.values()] : [{ path: '', message: 'does not fit the schema' }];
}

function issueOf({ keyword, instanceLocation, error }: OutputUnit): Issue {
  const path = dotted(instanceLocation);
  if (keyword === 'required') return { path: [path, quotedIn(error)].filter(Boolean).join('.'), message: 'required' };
  return { path, message: messageOf(keyword, error).slice(0, MAX_MESSAGE_CHARS) };
}

/** Of the validator's own texts only what they say of the schema. */
function messageOf(keyword: string, error: string): string {
  const last = /(-?[\d.]+(?:e[+-]?\d+)?)\)?\.$/i.exec(error)?.[1] ?? '';
  switch (keyword) {
    case 'false':
      return 'unknown key';
    case 'type':
      return `expected ${/Expected (.*)\.$/s.exec(error)?.[1]?.replaceAll('"', '') ?? 'another type'}`;
    case 'enum':
      return `expected one of ${/any of (.*)\.$/s.exec(error)?.[1] ?? 'those listed'}`;
    case 'const':
      return `expected ${/not match (.*)\.$/s.exec(error)?.[1] ?? 'another value'}`;
    case 'anyOf':
      return 'fits none of the alternatives';
    case 'oneOf':
      return 'does not fit exactly one of the alternatives';
    case 'minimum':
      return `expected at least ${last}`;
    case 'maximum':
      return `expected at most ${last}`;
    case 'exclusiveMinimum':
      return `expected more than ${last}`;
    case 'exclusiveMaximum':
      return `expected less than ${last}`;
    case 'multipleOf':
      return `expected a multiple of ${last}`;
    case 'minLength':
    case 'minItems':
      return `expected at least ${last} ${keyword === 'minItems' ? 'items' : 'characters'}`;
    case 'maxLength':
    case 'maxItems':
      return `expected at most ${last} ${keyword === 'maxItems' ? 'items' : 'characters'}`;
    default:
      return `does not fit ${keyword}`;
  }
}

/** `#/query/limit` as `query.limit`. */
function dotted(location: string): string {
  return location
    .split('/')
    .slice(1)
    .map((part) => decodePart(part).replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // The name itself has a percent sign.
    return part;
  }
}

function quotedIn(error: string): string {
  return /"(.*)"\.$/s.exec(error)?.[1] ?? '';
}
