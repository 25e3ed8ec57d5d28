// Where an operation is called, and with which credentials.

import { isObject } from '../protocol/payload.ts';
import type { DocumentSettings, SecurityScheme } from './operation.ts';
import { MAX_ALTERNATIVES } from './bounds.ts';
import { Unmappable } from './references.ts';
import type { Located, References } from './references.ts';
import { listOf, memberOf, membersOf, stringOf } from './values.ts';

// --- servers ---

/**
 * The first server that requests can be sent to, with its variables filled in: those of the operation, else of its path, else of the
 * document. Without any, it is the server that the document came from. Throws Unmappable.
 */
export function readServer(places: readonly Located[], settings: DocumentSettings): string {
  if (settings.baseUrl !== null) return usable(settings.baseUrl, null);
  const place = places.find(({ value }) => listOf(memberOf(value, 'servers')).length > 0);
  const servers = listOf(memberOf(place?.value, 'servers')).slice(0, MAX_ALTERNATIVES);
  const base = place?.document.url ?? settings.documentUrl;
  let problem = new Unmappable('No server is known for it; `base_url` can name one.');
  for (const server of servers.length > 0 ? servers : [{ url: '/' }]) {
    try {
      return usable(filledIn(server, settings.serverVariables), base);
    } catch (error) {
      if (!(error instanceof Unmappable)) throw error;
      problem = error;
    }
  }
  throw problem;
}

function filledIn(server: unknown, given: Readonly<Record<string, string>>): string {
  const url = stringOf(memberOf(server, 'url'));
  if (url === null) throw new Unmappable('A server has no URL.');
  return url.replace(/\{([^{}]+)\}/g, (_, name: string) => {
    const variable = memberOf(memberOf(server, 'variables'), name);
    const value = stringOf(memberOf(given, name)) ?? stringOf(memberOf(variable, 'default'));
    if (value === null) throw new Unmappable('A variable of its server has no value; `server_variables` can give one.');
    const allowed = listOf(memberOf(variable, 'enum'));
    if (allowed.length > 0 && !allowed.includes(value)) {
      throw new Unmappable('A variable of its server has a value that the document does not allow.');
    }
    return value;
  });
}

/** Absolute, without a slash at its end. */
function usable(address: string, base: string | null): string {
  if (base === null && !/^[a-z][a-z0-9+.-]*:/i.test(address)) {
    throw new Unmappable('Its server is relative to an unknown address; `base_url` can name one.');
  }
  if (!URL.canParse(address, base ?? undefined)) throw new Unmappable('Its server has no valid URL.');
  const { protocol, username, password, search, hash, origin, pathname } = new URL(address, base ?? undefined);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new Unmappable('Its server is not reached over http or https.');
  if (username !== '' || password !== '') throw new Unmappable('The URL of its server has credentials in it.');
  if (search !== '' || hash !== '') throw new Unmappable('The URL of its server has a query or a fragment.');
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

// --- security ---

/** Those that credentials can be given for. `value` is `components.securitySchemes`, or `securityDefinitions` of 2.0. */
export function readSchemes({ value, document }: Located, references: References): Map<string, SecurityScheme> {
  const schemes = new Map<string, SecurityScheme>();
  for (const [name, entry] of Object.entries(membersOf(value))) {
    try {
      const scheme = readScheme(references.follow(entry, document).value);
      if (scheme !== null) schemes.set(name, scheme);
    } catch (error) {
      // Noted by the operations that need it.
      if (!(error instanceof Unmappable)) throw error;
    }
  }
  return schemes;
}

function readScheme(value: unknown): SecurityScheme | null {
  const [place, name] = [stringOf(memberOf(value, 'in')), stringOf(memberOf(value, 'name'))];
  switch (memberOf(value, 'type')) {
    case 'apiKey':
      if (place !== 'header' && place !== 'query' && place !== 'cookie') return null;
      return name === null || name === '' ? null : { type: 'apiKey', in: place, name };
    case 'basic':
      return { type: 'basic' };
    case 'oauth2':
    case 'openIdConnect':
      return { type: 'bearer' };
    case 'http': {
      const scheme = stringOf(memberOf(value, 'scheme'))?.toLowerCase();
      return scheme === 'basic' || scheme === 'bearer' ? { type: scheme } : null;
    }
    default:
      return null;
  }
}

/** Alternatives that can be met; one that needs something unsupported is none. */
export function readSecurity(
  requirements: unknown,
  schemes: ReadonlyMap<string, SecurityScheme>,
  notes: Set<string>,
): string[][] {
  const alternatives = listOf(requirements)
    .filter((entry) => isObject(entry))
    .map((entry) => Object.keys(entry as object));
  const met = alternatives.filter((names) => names.every((name) => schemes.has(name)));
  if (met.length === 0 && alternatives.length > 0) {
    notes.add('It needs security that is not supported, or not described; it is called without credentials.');
  }
  return met.slice(0, MAX_ALTERNATIVES);
}
