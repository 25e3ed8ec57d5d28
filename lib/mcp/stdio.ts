// MCP over the pipes of a child process: one message per line. What is no message is counted, what is too long is answered as such, and
// the end of the process is the end of the connection. Our own, since the library's neither bounds lines nor ends groups.

import { deserializeMessage, serializeMessage } from '@modelcontextprotocol/client';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { GreenroomError } from '../errors.ts';
import { FRAME_MARGIN_BYTES } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { Lines } from '../observe/lines.ts';
import { isDoubled } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { eachLine } from '../observe/output.ts';
import { MAX_GARBAGE_LINES } from './bounds.ts';
import { Child } from './child.ts';
import type { ChildCommand } from './child.ts';
import { TOO_LARGE } from './failures.ts';

export interface StdioParts {
  readonly command: ChildCommand;
  /** Of the source, for the log. */
  readonly name: string;
  readonly limits: Limits;
  readonly log: Logger;
}

/** Where the id of an answer stands, in the order in which the libraries of the two large languages write it. */
const ID_AT_HEAD = /^\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d{1,15})\s*,/;
const ID_AT_TAIL = /,\s*"id"\s*:\s*(\d{1,15})\s*\}\s*$/;

export class StdioTransport implements Transport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: ((message: JSONRPCMessage) => void) | undefined;
  /** By this and `pid` the library tells pipes from HTTP: a server that does not know the newer protocol may stay silent on them. */
  readonly stderr = null;
  readonly #parts: StdioParts;
  #child: Child | null = null;
  #isClosed = false;
  #delivered: Promise<unknown> = Promise.resolve();
  #garbage = 0;

  constructor(parts: StdioParts) {
    this.#parts = parts;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  async start(): Promise<void> {
    const { command, name, limits, log } = this.#parts;
    const child = await Child.start(command);
    if (this.#isClosed) {
      await child.end();
      throw GreenroomError.of('cancelled');
    }
    this.#child = child;
    log.info({ source: name, pid: child.pid }, 'the process of an MCP server has started');
    const lines = new Lines(limits.maxMessageBytes + FRAME_MARGIN_BYTES, {
      line: (bytes) => this.#take(bytes),
      long: (head, tail, bytes) => this.#answerLong(head, tail, bytes),
    });
    child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
    eachLine(child.stderr, (fields) => log.info({ source: name, ...fields }, 'an MCP server wrote to stderr'));
    void child.closed.then(() => {
      this.#child = null;
      log.info({ source: name, pid: child.pid }, 'the process of an MCP server has ended');
      this.onclose?.();
    });
  }

  /** Rejects with `worker_busy` while too much waits to be read by the process. */
  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#child?.stdin;
    if (stdin === undefined || !stdin.writable) throw GreenroomError.of('invocation_stopped');
    if (stdin.writableLength > this.#parts.limits.maxMessageBytes) {
      throw GreenroomError.of('worker_busy', { message: 'The MCP server does not read what it is sent.' });
    }
    stdin.write(serializeMessage(message));
  }

  /** Resolves when the process and its group have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#child?.end();
  }

  #take(bytes: Buffer): void {
    let message: JSONRPCMessage;
    try {
      message = deserializeMessage(bytes.toString());
    } catch {
      // Programs print to stdout what belongs on stderr; a few lines of it do no harm.
      return this.#countGarbage();
    }
    this.#deliver(message);
  }

  /**
   * Not several in one turn: the library takes notifications a moment later than answers, and would drop the progress of a call that is
   * answered right behind it. What is queued is gone before the next chunk is read.
   */
  #deliver(message: JSONRPCMessage): void {
    this.#delivered = this.#delivered
      .then(() => this.onmessage?.(message))
      .catch((error: unknown) => this.onerror?.(error as Error));
  }

  #answerLong(head: Buffer, tail: Buffer, bytes: number): void {
    const id = ID_AT_HEAD.exec(head.toString())?.[1] ?? ID_AT_TAIL.exec(tail.toString())?.[1];
    if (id === undefined) return this.#countGarbage();
    const error = { code: TOO_LARGE, message: 'too large', data: { payload_bytes: bytes } };
    this.#deliver({ jsonrpc: '2.0', id: Number(id), error });
  }

  #countGarbage(): void {
    const { name, log } = this.#parts;
    const lines = ++this.#garbage;
    if (isDoubled(lines)) log.warn({ source: name, lines }, 'an MCP server wrote lines to stdout that are no messages');
    if (lines === MAX_GARBAGE_LINES + 1) void this.close();
  }
}
