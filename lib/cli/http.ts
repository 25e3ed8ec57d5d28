// What the runtime may reach, as it takes it: the authorities' certificates read once, from their file; secrets looked up when they are needed.

import { readFileSync } from 'node:fs';
import type { ConfigSources, HttpConfig } from '../config.ts';
import type { EgressOptions } from '../egress/egress.ts';
import { holdsCertificates } from '../egress/options-schema.ts';
import { describeError } from '../observe/log.ts';
import { CannotStart } from './say.ts';

/** Throws `CannotStart` for a file that cannot be read, or holds no certificate. */
export function resolveHttp(
  { caFile, ...others }: HttpConfig,
  environment: ConfigSources['environment'],
): EgressOptions {
  return { ...others, environment, ...(caFile !== undefined && { ca: readCertificates(caFile) }) };
}

function readCertificates(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const code = describeError(cause).error_code ?? 'unknown';
    throw new CannotStart(`http.caFile ${file} cannot be read (${code})`, { cause });
  }
  if (holdsCertificates(text)) return text;
  throw new CannotStart(`http.caFile ${file} must hold certificates in PEM`);
}
