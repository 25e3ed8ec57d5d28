// The name of an environment variable of the runtime, wherever somebody names one instead of showing what it holds.

import * as v from 'valibot';

export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

export const variableName = v.pipe(
  v.string('expected the name of an environment variable'),
  v.regex(VARIABLE_NAME, 'expected the name of an environment variable'),
);
