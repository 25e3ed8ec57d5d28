// Security schemes of a document, and the variables that the settings name for them. Values are looked up at each call, put into its
// request, and are nowhere else.

import * as v from 'valibot';
import type { Egress } from '../egress/egress.ts';
import { GreenroomError } from '../errors.ts';
import { requireSecret } from '../http/auth.ts';
import { nameProblem } from '../http/headers.ts';
import { variableName } from '../protocol/variable-name.ts';
import type { Operation, SecurityScheme } from './operation.ts';
import { encodeStrictly } from './styles.ts';
import type { Pair } from './styles.ts';

export const AuthSchema = v.record(
  v.string(),
  v.union([
    v.strictObject({ variable: variableName }),
    v.strictObject({ username_variable: variableName, password_variable: variableName }),
  ]),
);

/** By the name of the scheme. */
export type Auth = v.InferOutput<typeof AuthSchema>;

export interface SecurityParts extends Pick<Egress, 'secret'> {
  readonly schemes: Readonly<Record<string, SecurityScheme>>;
  readonly auth: Auth;
}

/** What is added to a request. */
export interface Credentials {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly query: readonly Pair[];
  readonly cookies: readonly Pair[];
}

/** Throws `token_not_found`, `api_key_not_found` or `secret_not_found` when a variable is not set. */
export function credentialsOf({ security }: Operation, parts: SecurityParts): Credentials {
  const { schemes, auth } = parts;
  const headers: [string, string][] = [];
  const query: Pair[] = [];
  const cookies: Pair[] = [];
  for (const name of chosen(security, auth) ?? []) {
    const scheme = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
    if (scheme === undefined) continue;
    const value = secretOf(scheme, auth[name] as Auth[string], parts);
    if (scheme.type !== 'apiKey') headers.push(['authorization', value]);
    else if (scheme.in === 'header') headers.push([scheme.name.toLowerCase(), value]);
    else (scheme.in === 'query' ? query : cookies).push([encodeStrictly(scheme.name), encodeStrictly(value)]);
  }
  return { headers, query, cookies };
}

/** For people: what is not as the document wants it. Names no variable. */
export function notesFor({ security }: Operation, auth: Auth): string[] {
  if (security.length === 0 || chosen(security, auth) !== null) return [];
  const wanted = security.map((names) => names.join(' and ')).join(', or ');
  return [`is called without credentials: none are set in \`auth\` for ${wanted}`];
}

/** Throws `invalid_source` when the settings name a scheme that is not in the document, or that takes something else. */
export function requireSchemes(auth: Auth, schemes: Readonly<Record<string, SecurityScheme>>): void {
  const issues = Object.entries(auth).flatMap(([name, given]) => {
    const scheme = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
    const path = `auth.${name}`;
    if (scheme === undefined) return [{ path, message: 'the document has no such security scheme' }];
    if (scheme.type === 'apiKey' && scheme.in === 'header' && nameProblem(scheme.name) !== null) {
      return [{ path, message: 'the document wants it in a header that cannot be set' }];
    }
    const isPair = 'username_variable' in given;
    if (isPair === (scheme.type === 'basic')) return [];
    return [{ path, message: isPair ? 'expected `variable`' : 'expected `username_variable` and `password_variable`' }];
  });
  if (issues.length > 0) throw GreenroomError.of('invalid_source', { details: { issues } });
}

/** The first alternative that is configured; with none, no credentials if they are optional; else null. */
function chosen(security: Operation['security'], auth: Auth): readonly string[] | null {
  const isConfigured = (names: readonly string[]): boolean => names.every((name) => Object.hasOwn(auth, name));
  return (
    security.find((names) => names.length > 0 && isConfigured(names)) ??
    security.find((names) => names.length === 0) ??
    null
  );
}

function secretOf(scheme: SecurityScheme, given: Auth[string], secrets: Pick<Egress, 'secret'>): string {
  if ('variable' in given) {
    if (scheme.type !== 'apiKey')
      return `Bearer ${requireSecret({ type: 'bearer', token_key: given.variable }, secrets)}`;
    return requireSecret({ type: 'api_key', header: scheme.name, value_key: given.variable }, secrets);
  }
  const [username, password] = [given.username_variable, given.password_variable].map((name) => secrets.secret(name));
  // A colon in the first would move the border between the two.
  if (username !== undefined && password !== undefined && !username.includes(':')) {
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }
  throw GreenroomError.of('secret_not_found', {
    message: 'A variable of the user name or password is not set, may not be used, or cannot be sent.',
  });
}
