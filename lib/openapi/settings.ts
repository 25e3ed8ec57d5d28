// What is said of an OpenAPI source beside what all sources share.

import * as v from 'valibot';
import { MAX_URL_CHARS } from '../http/bounds.ts';
import { requireHeaders } from '../http/headers.ts';
import { invalidRequest, requireValid } from '../protocol/issues.ts';
import { AuthSchema } from './security.ts';

const HttpUrl = v.pipe(
  v.string(),
  v.maxLength(MAX_URL_CHARS),
  v.check(isHttpUrl, 'expected an absolute http or https URL'),
);

const SettingsSchema = v.strictObject({
  url: v.optional(HttpUrl),
  /** YAML or JSON as a text, or the document itself. */
  document: v.optional(v.union([v.string(), v.record(v.string(), v.unknown())])),
  base_url: v.optional(v.pipe(HttpUrl, v.check(isBase, 'expected no query, fragment or credentials'))),
  server_variables: v.optional(v.record(v.string(), v.string())),
  auth: v.optional(AuthSchema),
  headers: v.optional(v.record(v.string(), v.string())),
});

export type OpenApiSettings = v.InferOutput<typeof SettingsSchema>;

/** Throws `invalid_request`, naming the key. */
export function requireSettings(given: unknown): OpenApiSettings {
  const settings = requireValid(SettingsSchema, given, 'invalid_request');
  if ((settings.url === undefined) === (settings.document === undefined)) {
    throw invalidRequest('url', 'expected either `url` or `document`');
  }
  requireHeaders(settings.headers ?? {});
  return settings;
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function isBase(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { search, hash, username, password } = new URL(text);
  return search + hash + username + password === '';
}
