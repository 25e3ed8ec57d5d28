// Who may open a socket: whom the REST routes let in, with every right, and the holders of the gateway's own credentials, with theirs.
// Decided before the upgrade, from the request alone. The other way round there is nothing: no credential of the gateway opens REST, but for
// `POST /v1/mcp` where it says so.

import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { createBearerCheck } from '../protocol/bearer.ts';
import { BACKEND_NAME } from './options-schema.ts';
import type { CredentialOptions } from './options.ts';
import { CredentialPolicy } from './credential-policy.ts';

/** The part of an upgrade request that says who asks. */
interface Asking {
  readonly headers: { readonly authorization?: string | undefined };
}

/** What the socket of this request may do; null for whoever has no credential. */
export type AuthenticateSocket<Request extends Asking> = (request: Request) => CredentialPolicy | null;

/**
 * `authenticate` is that of the REST routes. Every known token is compared, whichever fits. Throws `invalid_option` when a credential
 * has the runtime's own token: its holder would have every right and nobody would see why.
 */
export function createAuthenticateSocket<Request extends Asking>(
  { token, authenticate }: { token?: string | undefined; authenticate: (request: Request) => boolean },
  credentials: readonly CredentialOptions[],
  limits: Limits,
): AuthenticateSocket<Request> {
  const taken = credentials.find((credential) => credential.token === token);
  if (taken !== undefined) {
    throw GreenroomError.of('invalid_option', {
      message: `The credential ${taken.name} has the token of the runtime; give it one of its own.`,
    });
  }
  const backend = new CredentialPolicy({ name: BACKEND_NAME, bridge: true, mcp: true }, limits);
  const policies = credentials.map((credential) => new CredentialPolicy(credential, limits));
  const check = createBearerCheck(credentials.map((credential) => credential.token));
  return (request) => {
    const isBackend = authenticate(request);
    const found = policies[check(request.headers.authorization)] ?? null;
    return isBackend ? backend : found;
  };
}
