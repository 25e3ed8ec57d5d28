// The options of what leaves the runtime, checked: as they come from the configuration, and as an embedding Backend gives them. Loads no
// HTTP client. What stands in a list is checked here in full: a rule that could never apply must not be taken for one.

import { X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import { flag, listOf, placeOf, problemOf, strict, text } from '../access/options-schema.ts';
import { GreenroomError } from '../errors.ts';
import { isObject } from '../protocol/payload.ts';
import { isNetwork } from './addresses.ts';
import type { EgressOptions } from './egress.ts';

const MAX_HOST_CHARS = 253;
const NAME_PATTERN = /^[a-z0-9._*-]+$/i;
/** IPv6, with or without brackets: at least two colons, so that no port is taken for a part of it. */
const IPV6_PATTERN = /^(\[?)(?=[^:]*:[^:]*:)[0-9a-f:*]+(\]?)$/i;
const VARIABLE_PATTERN = /^[A-Za-z_*][A-Za-z0-9_*]{0,127}$/;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

const rules = {
  allowHosts: v.optional(
    listOf(
      text(
        'a pattern of a host name or an address, without scheme, port and path, and in its xn-- form',
        isHostPattern,
      ),
      'patterns',
    ),
  ),
  allowAddresses: v.optional(listOf(text('an IP address, or a network like 10.0.0.0/8', isNetwork), 'networks')),
  requireHttps: flag,
  variables: v.optional(
    listOf(
      text('a pattern of the names of environment variables', (value) => VARIABLE_PATTERN.test(value)),
      'patterns',
    ),
  ),
};

/** As in the file of the configuration. */
export const egressConfigSchema = strict({
  ...rules,
  caFile: v.optional(text('the path of a file', (value) => value !== '')),
});

const schema = strict({
  ...rules,
  ca: v.optional(text('certificates in PEM', holdsCertificates)),
  environment: v.optional(v.custom<Record<string, string | undefined>>(isObject, 'must be an object')),
});

/** Throws `invalid_option`, naming the place and never what was given. */
export function requireEgress(given: EgressOptions): void {
  const result = v.safeParse(schema, given);
  if (result.success) return;
  const [issue] = result.issues;
  throw GreenroomError.of('invalid_option', { message: `http${placeOf(issue)} ${problemOf(issue)}` });
}

function isHostPattern(value: string): boolean {
  if (value.length > MAX_HOST_CHARS) return false;
  if (NAME_PATTERN.test(value)) return true;
  const [, opening = '', closing = ''] = IPV6_PATTERN.exec(value) ?? ['', '[', ''];
  return opening.length === closing.length;
}

/** TLS would take a text without certificates for no further authority, in silence. */
export function holdsCertificates(value: string): boolean {
  const found = value.match(CERTIFICATE) ?? [];
  return found.length > 0 && found.every(isCertificate);
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    // What it complains of is of no use to who reads the refusal.
    return false;
  }
}
