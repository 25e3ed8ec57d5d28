// The connections of one reach. The rules are asked here once more, for what undici is about to connect to: a caller that takes the wrong
// agent, a redirect that is followed, or a name that leads elsewhere by now gets no connection. Loads undici.

import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import * as tls from 'node:tls';
import { Agent, buildConnector } from 'undici';
import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import {
  ATTEMPT_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  MAX_ANSWER_HEADER_BYTES,
  MAX_IDLE_TIMEOUT_MS,
  MAX_ORIGINS,
} from './bounds.ts';
import type { Reach } from './egress.ts';
import type { Lookups } from './lookups.ts';
import { hostOf, refusal } from './rules.ts';
import type { Rules } from './rules.ts';

interface AgentParts {
  readonly rules: Rules;
  readonly lookups: Lookups;
  readonly limits: Limits;
  /** In PEM. */
  readonly ca: string | undefined;
}

/** No proxies and no redirects; the deadlines of an answer belong to its request. */
export function createAgent(reach: Reach, { rules, lookups, limits, ca }: AgentParts): Agent {
  const connector = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    allowH2: false,
    // Said here, so that no variable of Node's turns it off.
    rejectUnauthorized: true,
    // Made once: for each connection it would parse some hundred certificates.
    ...(ca !== undefined && { secureContext: tls.createSecureContext({ ca: [...rootCertificates(), ca] }) }),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
    lookup: checkedLookup(reach, { rules, lookups }),
  });
  const connect: buildConnector.connector = (options, callback) => {
    // An address is never looked up, so this is where one is judged. What it throws is what the request is refused with.
    if (rules.reachOf(options, reach) !== reach) throw refusal('loopback_only');
    // The name that is connected to is the name of the certificate, whatever a request says in `Host`.
    const host = hostOf(options).replace(/\.$/, '');
    connector({ ...options, servername: isIP(host) === 0 ? host : '' }, (...answer) =>
      answer[0] === null ? callback(...answer) : callback(withoutAddress(answer[0]), null),
    );
  };
  return new Agent({
    connect,
    allowH2: false,
    pipelining: 1,
    connections: limits.maxHttpCallsPerOrigin,
    maxOrigins: MAX_ORIGINS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    keepAliveMaxTimeout: MAX_IDLE_TIMEOUT_MS,
    maxHeaderSize: MAX_ANSWER_HEADER_BYTES,
  });
}

/** The addresses that are judged are the ones that are handed to `connect`: there is no second look-up in between. */
function checkedLookup(reach: Reach, { rules, lookups }: Pick<AgentParts, 'rules' | 'lookups'>): LookupFunction {
  return (host, { all }, callback) => {
    lookups
      .addressesOf(host)
      .then((addresses) => {
        rules.requireAddresses(addresses, reach);
        return addresses;
      })
      .then(
        (addresses) => {
          const [first] = addresses;
          if (all === true) callback(null, addresses);
          else callback(null, first?.address ?? '', first?.family);
        },
        (thrown: NodeJS.ErrnoException) => callback(thrown, []),
      );
  };
}

/** What went wrong, by its code: the messages of Node and of undici list the addresses that were tried, and somebody might pass them on. */
function withoutAddress(error: NodeJS.ErrnoException): Error {
  if (error instanceof GreenroomError) return error;
  return Object.assign(new Error('The connection could not be made.'), { code: error.code });
}

/** Those of Node and, where it can tell them, of NODE_EXTRA_CA_CERTS. */
function rootCertificates(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] };
  return getCACertificates?.('default') ?? tls.rootCertificates;
}
