// What can be said of an LMDB file by reading its pages, without LMDB: it maps the file into memory and trusts what it finds there,
// so that a file cut short or a page that was overwritten takes the process down.
//
//   page 0, 1   meta: each commit writes the other one · the one with the higher transaction counts
//   others      branch (keys → pages) · leaf (keys → values) · overflow (a value of more than half a page) · free

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { GreenroomError } from '../errors.ts';

/** How much of the file is part of what it holds. */
export interface PageCount {
  readonly pageBytes: number;
  /** Pages that a tree refers to, the two meta pages included. */
  readonly pages: number;
}

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_BYTES = [4_096, 8_192, 16_384, 32_768];
/** Of every page: number, transaction, padding, flags, and the bounds of its free space or its number of pages. */
const HEADER_BYTES = 24;
const AT = { number: 0, transaction: 8, flags: 18, lower: 20, upper: 22, overflowPages: 20 };
const META_AT = {
  magic: 24,
  version: 28,
  mapBytes: 40,
  pageBytes: 48,
  freeTree: 48,
  mainTree: 96,
  lastPage: 144,
  transaction: 152,
};
const TREE_AT = { flags: 4, depth: 6, entries: 32, root: 40 };
const META_BYTES = 168;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const META = 0x08;
/** Numbers as keys; and of the whole file, that it stands in no folder of its own. */
const FREE_TREE_FLAGS = 0x4008;
/** Of a node: its value lies in overflow pages. */
const BIG_VALUE = 0x01;
/** Then there is in its place: number, transaction and count of those pages. */
const BIG_VALUE_BYTES = 24;
const NODE_BYTES = 8;
/** More than a tree of any file has. */
const MAX_DEPTH = 32;
const MAX_FINDINGS = 20;
/** A runtime that uses the file may have written both between the reading of one and of the other. */
const META_TRIES = 10;
/** Far more than a map is ever ahead of its file, and far less than what a process can map. */
const MAX_UNUSED_BYTES = 2 ** 40;

interface Tree {
  readonly name: string;
  /** Its keys are in the order of their bytes, and no numbers of the machine. */
  readonly isOrdered: boolean;
  readonly depth: number;
  readonly entries: bigint;
  readonly root: bigint;
}

interface Meta {
  readonly pageBytes: number;
  /** What LMDB maps: more than the file has, so that it can grow. */
  readonly mapBytes: bigint;
  readonly lastPage: bigint;
  readonly transaction: bigint;
  readonly trees: readonly Tree[];
}

/**
 * Refuses a file that LMDB would take, and die of: one that is cut short, or whose meta pages do not fit together. One that is not there,
 * or empty, is whole. Throws `store_corrupt`.
 */
export function requireWhole(path: string): void {
  const file = openFile(path);
  if (file === null) return;
  try {
    if (file.bytes() === 0) return;
    const meta = file.meta();
    const bytes = file.bytes();
    requirePlausible(meta, bytes);
    // The last pages may never have been written, if they were free by the end of their transaction.
    if (BigInt(bytes) >= (meta.lastPage + 1n) * BigInt(meta.pageBytes)) return;
    const [finding] = new Walk(file, meta).findings;
    if (finding !== undefined) throw corrupt(`it ends too early, after ${bytes} bytes: ${finding}`);
  } finally {
    file.close();
  }
}

/** Reads every page that is in use, and tells what is wrong with them, at most 20 findings; the count is null if it cannot be read at all. */
export function checkPages(path: string): { readonly findings: readonly string[]; readonly count: PageCount | null } {
  const file = openFile(path);
  if (file === null) return { findings: ['there is no such file'], count: null };
  try {
    const meta = file.meta();
    requirePlausible(meta, file.bytes());
    const { findings, pages } = new Walk(file, meta);
    return { findings, count: { pageBytes: meta.pageBytes, pages } };
  } catch (thrown) {
    if (!(thrown instanceof GreenroomError)) throw thrown;
    return { findings: [thrown.message], count: null };
  } finally {
    file.close();
  }
}

// --- the file ---

interface File {
  /** Of it now: it grows while a runtime uses it. */
  bytes(): number;
  /** Null if the file ends before it does. */
  read(at: number, bytes: number): Buffer | null;
  /** The newer one. Throws `store_corrupt` unless both are sound. */
  meta(): Meta;
  close(): void;
}

function openFile(path: string): File | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (thrown) {
    const { code = 'unknown' } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw GreenroomError.of('store_failed', { message: `The store cannot be read (${code}).`, cause: thrown });
  }
  const bytes = () => fstatSync(descriptor).size;
  const read = (at: number, length: number): Buffer | null => {
    const buffer = Buffer.allocUnsafe(length);
    return readSync(descriptor, buffer, 0, length, at) === length ? buffer : null;
  };
  const close = () => closeSync(descriptor);
  return { bytes, read, meta: () => readMetas(read), close };
}

function readMetas(read: File['read']): Meta {
  for (let triesLeft = META_TRIES; ; triesLeft--) {
    const first = readMeta(read, 0);
    const second = readMeta(read, first.pageBytes);
    const [older, newer] = first.transaction < second.transaction ? [first, second] : [second, first];
    // Each transaction writes the other page than the one before; a copy has only one.
    const isPair = newer.transaction - older.transaction <= 1n || older.transaction === 0n;
    if (newer.pageBytes === older.pageBytes && isPair) return newer;
    if (triesLeft === 1) throw corrupt('its meta pages do not fit together');
  }
}

function readMeta(read: File['read'], at: number): Meta {
  const page = read(at, META_BYTES);
  if (page === null) throw corrupt('it ends before its meta pages do');
  if (page.readUInt32LE(META_AT.magic) !== MAGIC) throw corrupt('it is no file of LMDB');
  if (page.readUInt32LE(META_AT.version) !== DATA_VERSION) throw corrupt('it has another format of LMDB');
  const pageBytes = page.readUInt32LE(META_AT.pageBytes);
  if (!PAGE_BYTES.includes(pageBytes)) throw corrupt('a meta page says nothing of use');
  const tree = (name: string, isOrdered: boolean, start: number): Tree => ({
    name,
    isOrdered,
    depth: page.readUInt16LE(start + TREE_AT.depth),
    entries: page.readBigUInt64LE(start + TREE_AT.entries),
    root: page.readBigUInt64LE(start + TREE_AT.root),
  });
  const isAsWritten =
    page.readUInt16LE(AT.flags) === META &&
    page.readUInt16LE(META_AT.freeTree + TREE_AT.flags) === FREE_TREE_FLAGS &&
    page.readUInt16LE(META_AT.mainTree + TREE_AT.flags) === 0;
  if (!isAsWritten) throw corrupt('a meta page says nothing of use');
  return {
    pageBytes,
    mapBytes: page.readBigUInt64LE(META_AT.mapBytes),
    lastPage: page.readBigUInt64LE(META_AT.lastPage),
    transaction: page.readBigUInt64LE(META_AT.transaction),
    trees: [tree('free pages', false, META_AT.freeTree), tree('records', true, META_AT.mainTree)],
  };
}

/** LMDB believes these sizes, and maps memory for them. Throws `store_corrupt`. */
function requirePlausible({ mapBytes, pageBytes, lastPage }: Meta, bytes: number): void {
  const mostBytes = BigInt(bytes + MAX_UNUSED_BYTES);
  if (mapBytes > mostBytes || (lastPage + 1n) * BigInt(pageBytes) > mostBytes)
    throw corrupt('a meta page tells sizes that cannot be');
}

function corrupt(problem: string): GreenroomError {
  return GreenroomError.of('store_corrupt', { message: `The store's file cannot be used: ${problem}.` });
}

// --- the trees ---

class Walk {
  readonly findings: string[] = [];
  /** In use. */
  pages = 2;
  readonly #file: File;
  readonly #meta: Meta;
  readonly #bytes: number;
  /** Of each page of the file: 1 if it is in use. */
  readonly #seen: Uint8Array;
  #isOrdered = false;

  constructor(file: File, meta: Meta) {
    this.#file = file;
    this.#meta = meta;
    this.#bytes = file.bytes();
    const pagesOfFile = Math.ceil(this.#bytes / meta.pageBytes);
    this.#seen = new Uint8Array(pagesOfFile);
    this.#seen.fill(1, 0, 2);
    for (const tree of meta.trees) this.#walk(tree);
  }

  #walk({ name, isOrdered, depth, entries, root }: Tree): void {
    this.#isOrdered = isOrdered;
    if (root === NO_PAGE) {
      if (entries !== 0n || depth !== 0) this.#find(`the ${name} have no tree`);
      return;
    }
    if (depth === 0 || depth > MAX_DEPTH) return this.#find(`the tree of the ${name} is ${depth} levels deep`);
    const found = this.#visit(root, depth, null, null);
    if (found !== entries && this.findings.length === 0)
      this.#find(`the tree of the ${name} holds ${found} entries instead of ${entries}`);
  }

  /** Entries below the page, whose keys are from `least` to before `end`; null is no bound. */
  #visit(number: bigint, depth: number, least: Buffer | null, end: Buffer | null): bigint {
    if (this.findings.length >= MAX_FINDINGS) return 0n;
    const page = this.#take(number, 1);
    if (page === null) return 0n;
    const expected = depth === 1 ? LEAF : BRANCH;
    const nodes = page.readUInt16LE(AT.flags) === expected ? nodesOf(page) : null;
    if (nodes === null) return this.#lost(`page ${number} is damaged`);
    let entries = 0n;
    let before = least;
    const keys = nodes.map((at) => page.subarray(at + NODE_BYTES, at + NODE_BYTES + page.readUInt16LE(at + 6)));
    for (const [index, at] of nodes.entries()) {
      const key = keys[index] as Buffer;
      // The first key of a branch stands for everything below the second.
      const isOpen = depth > 1 && index === 0;
      // The first key of a page below another is what that one says, and may be it.
      const order = isOpen || before === null ? -1 : before.compare(key);
      if (this.#isOrdered && (order > 0 || (order === 0 && index > 0)))
        return this.#lost(`the keys of page ${number} are out of order`);
      if (!isOpen) before = key;
      if (depth > 1) entries += this.#visit(childOf(page, at), depth - 1, isOpen ? least : key, keys[index + 1] ?? end);
      else entries += this.#value(page, at, number);
    }
    if (this.#isOrdered && end !== null && before !== null && before.compare(end) >= 0)
      return this.#lost(`the keys of page ${number} are out of order`);
    return entries;
  }

  /** 1 if the entry can be read. */
  #value(page: Buffer, at: number, number: bigint): bigint {
    const start = at + NODE_BYTES + page.readUInt16LE(at + 6);
    const bytes = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    if (flags === 0) {
      if (start + bytes > page.length) return this.#lost(`a value of page ${number} is cut off`);
      return this.#isOrdered ? 1n : this.#freePages(page.subarray(start, start + bytes));
    }
    if (flags !== BIG_VALUE || start + BIG_VALUE_BYTES > page.length)
      return this.#lost(`a value of page ${number} is damaged`);
    const pages = Math.ceil((HEADER_BYTES + bytes) / this.#meta.pageBytes);
    const first = page.readBigUInt64LE(start);
    const header = this.#take(first, pages);
    if (header === null) return 0n;
    // LMDB believes the place about transaction and count when it frees these pages. In a copy without the free pages the transactions of
    // the two may differ.
    const isSound =
      header.readUInt16LE(AT.flags) === OVERFLOW &&
      header.readUInt32LE(AT.overflowPages) === pages &&
      page.readBigUInt64LE(start + 8) <= this.#meta.transaction &&
      page.readBigUInt64LE(start + 16) === BigInt(pages);
    if (!isSound) return this.#lost(`page ${first} does not begin a value`);
    if (this.#isOrdered) return 1n;
    const list = this.#file.read(Number(first) * this.#meta.pageBytes + HEADER_BYTES, bytes);
    return list === null ? 0n : this.#freePages(list);
  }

  /**
   * A list of pages that LMDB writes to next: none of them may be in use, or in another list. It begins with its length; a negative number
   * before a page says how many they are from there on, and zeros say nothing.
   */
  #freePages(list: Buffer): bigint {
    const length = list.length < 8 ? -1n : list.readBigInt64LE(0);
    if (length < 0n || 8n * (length + 1n) > BigInt(list.length)) return this.#lost('a list of free pages is damaged');
    let count = 1;
    for (let at = 1; at <= Number(length); at++) {
      const number = list.readBigInt64LE(8 * at);
      if (number <= 0n) {
        count = Math.max(1, Number(-number));
        continue;
      }
      if (!this.#claim(number, count)) return 0n;
      count = 1;
    }
    return 1n;
  }

  /** False, with a finding, unless the pages are the file's, and nobody else's. */
  #claim(number: bigint, count: number): boolean {
    const first = Number(number);
    const isInFile = number >= 2n && number + BigInt(count) <= this.#meta.lastPage + 1n;
    if (!isInFile) this.#find(`page ${number} is none of the file's`);
    else if (this.#seen.subarray(first, first + count).includes(1)) this.#find(`page ${number} is used twice`);
    else {
      this.#seen.fill(1, first, first + count);
      return true;
    }
    return false;
  }

  /** Reads the first of some pages that belong together; null, with a finding, unless they are there and nobody else's. */
  #take(number: bigint, count: number): Buffer | null {
    const { pageBytes } = this.#meta;
    const end = number + BigInt(count);
    if (!this.#claim(number, count)) return null;
    if (end * BigInt(pageBytes) > BigInt(this.#bytes)) return this.#none(`page ${end - 1n} is missing`);
    const first = Number(number);
    this.pages += count;
    const page = this.#file.read(first * pageBytes, pageBytes);
    if (page === null || page.readBigUInt64LE(AT.number) !== number) return this.#none(`page ${number} is damaged`);
    // One of a later transaction LMDB takes for its own, and writes to it where it must not: the process would end.
    if (page.readBigUInt64LE(AT.transaction) > this.#meta.transaction) return this.#none(`page ${number} is damaged`);
    return page;
  }

  #find(finding: string): void {
    if (this.findings.length < MAX_FINDINGS) this.findings.push(finding);
  }

  #lost(finding: string): bigint {
    this.#find(finding);
    return 0n;
  }

  #none(finding: string): null {
    this.#find(finding);
    return null;
  }
}

/** Where the nodes of a branch or a leaf begin; null unless they fill the end of the page. */
function nodesOf(page: Buffer): number[] | null {
  const lower = page.readUInt16LE(AT.lower);
  const upper = page.readUInt16LE(AT.upper);
  const nodes: number[] = [];
  let left = page.length - HEADER_BYTES - upper;
  if (lower % 2 !== 0 || lower > upper || HEADER_BYTES + upper > page.length) return null;
  for (let pointer = HEADER_BYTES; pointer < HEADER_BYTES + lower; pointer += 2) {
    const at = page.readUInt16LE(pointer) + HEADER_BYTES;
    if (at < HEADER_BYTES + upper || at + NODE_BYTES > page.length) return null;
    const bytes = nodeBytes(page, at);
    if (at + bytes > page.length) return null;
    left -= bytes + (bytes % 2);
    nodes.push(at);
  }
  // There is no gap between them: a wrong length shows.
  return left === 0 ? nodes : null;
}

/** With its key, and its value if that is in the page. */
function nodeBytes(page: Buffer, at: number): number {
  const keyEnd = NODE_BYTES + page.readUInt16LE(at + 6);
  if (page.readUInt16LE(AT.flags) === BRANCH) return keyEnd;
  return keyEnd + (page.readUInt16LE(at + 4) === BIG_VALUE ? BIG_VALUE_BYTES : page.readUInt32LE(at));
}

function childOf(page: Buffer, at: number): bigint {
  return BigInt(page.readUInt32LE(at)) | (BigInt(page.readUInt16LE(at + 4)) << 32n);
}
