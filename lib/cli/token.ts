// The bearer token of a standalone runtime: read from the operator's file, or made once and kept in the data dir.
// It never passes through arguments, variables or the log. A token that others could have read or planted is refused.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../observe/log.ts';
import { CannotStart } from './say.ts';

export interface Token {
  readonly value: string;
  /** Absolute. */
  readonly file: string;
  readonly isNew: boolean;
}

const TOKEN_BYTES = 32;
/** What the server takes as a token; an empty or tiny file is a mistake. */
const TOKEN = /^[\x21-\x7e]{16,512}$/;
const ONLY_OWNER_DIR = 0o700;
const ONLY_OWNER_FILE = 0o600;
const OTHERS = 0o077;

/** The operator's token; `option` says who named the file. How its file is protected is the operator's affair: secrets are often mounted readable by a group. */
export function readToken(file: string, option = '--token-file'): Token {
  try {
    return { value: requireToken(readFileSync(file, 'utf8'), file), file, isNew: false };
  } catch (thrown) {
    throw cannot(`${option} ${file} cannot be read`, thrown);
  }
}

/** The token kept in the data dir; made, together with the dir, at the first start. */
export function keepToken(dataDir: string): Token {
  const file = join(dataDir, 'token');
  try {
    mkdirSync(dataDir, { recursive: true, mode: ONLY_OWNER_DIR });
    const isNew = createToken(file);
    return { value: requireToken(readOwn(file), file), file, isNew };
  } catch (thrown) {
    throw cannot(`the data dir ${dataDir} cannot be used`, thrown);
  }
}

/** False if there is one. Written aside and linked, so that a runtime that starts at the same moment never reads half of it. */
function createToken(file: string): boolean {
  const aside = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    closeSync(openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW));
    return false;
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown;
  }
  try {
    writeFileSync(aside, `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`, { flag: 'wx', mode: ONLY_OWNER_FILE });
    linkSync(aside, file);
    return true;
  } catch (thrown) {
    // Another runtime made it meanwhile: its token counts.
    if (codeOf(thrown) === 'EEXIST') return false;
    throw thrown;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Reads through one descriptor, so that what was checked is what is read. */
function readOwn(file: string): string {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { mode, uid } = fstatSync(descriptor);
    if ((mode & OTHERS) !== 0)
      throw new CannotStart(`${file} can be read by others: run chmod 600 on it, or delete it to get a new token`);
    if (process.getuid !== undefined && uid !== process.getuid())
      throw new CannotStart(`${file} belongs to another user: delete it, or use --token-file`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Throws `CannotStart`; `where` is where the text was found. */
export function requireToken(text: string, where: string): string {
  const token = text.trim();
  if (!TOKEN.test(token))
    throw new CannotStart(`${where} must hold one token of 16 to 512 printable ASCII characters without spaces`);
  return token;
}

function codeOf(thrown: unknown): string {
  return describeError(thrown).error_code ?? 'unknown';
}

function cannot(what: string, thrown: unknown): CannotStart {
  return thrown instanceof CannotStart ? thrown : new CannotStart(`${what} (${codeOf(thrown)})`, { cause: thrown });
}
