// The gateway's credentials, as the server takes them: each token read once, from its file or its variable.
// No token is printed or logged; what is said of a wrong one is where it was looked for.

import type { ConfigSources, CredentialConfig, GatewayConfig } from '../config.ts';
import type { GatewayOptions } from '../access/options.ts';
import { CannotStart } from './say.ts';
import { readToken, requireToken } from './token.ts';

/** Throws `CannotStart` for a token that is not there, or is none. */
export function resolveGateway(config: GatewayConfig, environment: ConfigSources['environment']): GatewayOptions {
  const { credentials = [], ...others } = config;
  return {
    ...others,
    credentials: credentials.map((credential) => {
      const { name, call, expose, prefix, bridge, limits } = credential;
      return { name, call, expose, prefix, bridge, limits, token: readTokenOf(credential, environment) };
    }),
  };
}

function readTokenOf(
  { name, tokenFile, tokenVariable = '' }: CredentialConfig,
  environment: ConfigSources['environment'],
): string {
  const whose = `the gateway credential ${name}:`;
  if (tokenFile !== undefined) return readToken(tokenFile, `${whose} tokenFile`).value;
  const text = environment[tokenVariable];
  if (text === undefined || text === '') throw new CannotStart(`${whose} the variable ${tokenVariable} is not set`);
  return requireToken(text, `${whose} the variable ${tokenVariable}`);
}
