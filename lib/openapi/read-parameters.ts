// Parameters of an operation: those of its path, replaced by its own of the same name and place, each with how it is written.

import { isToken, nameProblem as headerProblem } from '../http/headers.ts';
import { isObject } from '../protocol/payload.ts';
import type { Parameter, ParameterPlace, ParameterStyle } from './operation.ts';
import { isMediaType } from './media-types.ts';
import { MAX_KEY_CHARS, MAX_PARAMETERS } from './bounds.ts';
import { Unmappable } from './references.ts';
import type { Located, References } from './references.ts';
import { listOf, membersOf, stringOf } from './values.ts';
import type { Members } from './values.ts';

export interface ReadParameter {
  readonly sent: Parameter;
  readonly schema: Located;
  readonly description: string | null;
}

/** The first is the default. */
export const STYLES: Readonly<Record<ParameterPlace, readonly [ParameterStyle, ...ParameterStyle[]]>> = {
  path: ['simple', 'label', 'matrix'],
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  header: ['simple'],
  cookie: ['form'],
};
/** The specification has these ignored: they follow from the body, from what is accepted, and from security. */
const IGNORED = new Set(['accept', 'content-type', 'authorization']);

/** Throws Unmappable when one that is required cannot be sent; others are noted. */
export function readParameters(
  given: readonly Located[],
  path: string,
  references: References,
  notes: Set<string>,
): ReadParameter[] {
  if (given.length > MAX_PARAMETERS) throw new Unmappable(`It has more than ${MAX_PARAMETERS} parameters.`);
  const found = new Map<string, ReadParameter>();
  for (const { value, document } of given) {
    const parameter = readParameter(references.follow(value, document), path, notes);
    if (parameter === null) continue;
    const { in: place, name } = parameter.sent;
    found.set(`${place} ${place === 'header' ? name.toLowerCase() : name}`, parameter);
  }
  for (const name of templateNames(path)) {
    if (found.has(`path ${name}`)) continue;
    notes.add('A part of its path is not described; it is taken for a text.');
    const style = { style: 'simple', explode: false, allowReserved: false, contentType: null } as const;
    const schema = { value: { type: 'string' }, document: { url: null, root: null, isMain: false } };
    found.set(`path ${name}`, { sent: { name, in: 'path', required: true, ...style }, schema, description: null });
  }
  return [...found.values()];
}

function templateNames(path: string): string[] {
  return [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => name as string);
}

function readParameter({ value, document }: Located, path: string, notes: Set<string>): ReadParameter | null {
  const parameter = membersOf(value);
  const [name, place] = [stringOf(parameter['name']), stringOf(parameter['in'])];
  if (name === null || place === null) return refuse(parameter, 'A parameter has no name or no place.', notes);
  if (!isPlace(place)) return refuse(parameter, 'A parameter is in a place that is not supported.', notes);
  const header = place === 'header' ? name.toLowerCase() : null;
  if (header !== null && IGNORED.has(header)) return null;
  if (header !== null && isToken(header) && headerProblem(header) !== null) {
    notes.add('A header that belongs to the connection is left out.');
    return null;
  }
  const problem = nameProblem(name, place, path);
  if (problem !== null)
    return refuse({ ...parameter, required: place !== 'path' && parameter['required'] }, problem, notes);
  const [media] = Object.entries(membersOf(parameter['content'])).filter(([type]) => isMediaType(type));
  const schema = (media === undefined ? parameter : membersOf(media[1]))['schema'] ?? {};
  const required = place === 'path' || parameter['required'] === true;
  const contentType = media === undefined ? null : media[0];
  return {
    sent: { name, in: place, required, ...readStyle(parameter, place, notes), contentType },
    schema: { value: schema, document },
    description: stringOf(parameter['description']),
  };
}

function isPlace(place: string): place is ParameterPlace {
  return Object.hasOwn(STYLES, place);
}

/** Why a name cannot be sent; null when it can. */
function nameProblem(name: string, place: ParameterPlace, path: string): string | null {
  if (name === '' || name === '__proto__' || name.length > MAX_KEY_CHARS)
    return 'A parameter has a name that cannot be used.';
  if (place === 'path' && !path.includes(`{${name}}`)) return 'A parameter of the path is not in the path.';
  if ((place === 'header' || place === 'cookie') && !isToken(name)) return 'The name of a parameter cannot be sent.';
  return null;
}

function refuse(parameter: Members, reason: string, notes: Set<string>): null {
  if (parameter['required'] === true) throw new Unmappable(reason);
  notes.add(reason);
  return null;
}

function readStyle(parameter: Members, place: ParameterPlace, notes: Set<string>) {
  const given = parameter['style'];
  const known = STYLES[place].find((style) => style === given);
  if (given !== undefined && known === undefined) notes.add('A parameter has a style that its place does not have.');
  const style = known ?? STYLES[place][0];
  const explode = parameter['explode'];
  return {
    style,
    // An object in this style has no other form.
    explode: style === 'deepObject' || (typeof explode === 'boolean' ? explode : style === 'form'),
    allowReserved: place === 'query' && parameter['allowReserved'] === true,
  };
}

/** The parameters of a path item and of its operation, in this order. */
export function allParameters(item: Located, operation: Located): Located[] {
  return [item, operation].flatMap(({ value, document }) => {
    const list = listOf(membersOf(value)['parameters']);
    return list.filter((entry) => isObject(entry)).map((entry) => ({ value: entry, document }));
  });
}
