// What a schema found wrong, as callers see it: the path and the problem, never the value.

import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** Issues beyond this many add nothing but bytes. */
const MAX_ISSUES = 20;

export interface Issue {
  /** Dotted path from the root of the message; empty for the root itself. */
  path: string;
  message: string;
}

/** Checks a value against a schema whose output is not wanted here: cheaper where the value is valid. Throws `code`. */
export function requireAccepted(schema: v.GenericSchema, value: unknown, code: ErrorCode): void {
  if (!v.is(schema, value)) requireValid(schema, value, code);
}

/** Checks a value against a schema and returns the schema's output. Throws `code` with `details.issues`. */
export function requireValid<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  code: ErrorCode,
  under = '',
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const issues = result.issues.slice(0, MAX_ISSUES).map((issue) => describeIssue(issue, under));
  throw GreenroomError.of(code, { details: { issues } });
}

/** `invalid_request` with one thing that is wrong, where no schema can say it. */
export function invalidRequest(path: string, message: string): GreenroomError {
  return GreenroomError.of('invalid_request', { details: { issues: [{ path, message }] } });
}

/** What an error says is wrong, place by place; empty when it names none. For people. */
export function problemsOf({ details }: GreenroomError): string[] {
  const issues = (details?.['issues'] ?? []) as readonly Issue[];
  return issues.map(({ path, message }) => `${path} ${message}`.trim());
}

function describeIssue(issue: v.BaseIssue<unknown>, under: string): Issue {
  const path = [under, v.getDotPath(issue) ?? ''].filter((part) => part !== '').join('.');
  const isUnknownKey = issue.expected === 'never' && path !== '';
  if (isUnknownKey) return { path, message: 'unknown key' };
  if (issue.received === 'undefined') return { path, message: 'required' };
  if (issue.expected !== null) return { path, message: `expected ${issue.expected}` };
  // Without a message of the schema's author, valibot's own ends with the value.
  const suffix = `: Received ${issue.received}`;
  return { path, message: issue.message.endsWith(suffix) ? issue.message.slice(0, -suffix.length) : issue.message };
}
