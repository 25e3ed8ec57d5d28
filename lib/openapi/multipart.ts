// multipart/form-data: parts in the order of the payload, files from channels as they arrive. Without a channel the body is whole, and its
// length known; with one it is a stream, sent once.

import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { OperationBody, PartEncoding } from './operation.ts';
import { requireFile } from './files.ts';
import type { GivenFile, OpenReader } from './files.ts';
import { isJson } from './media-types.ts';
import { pairsOf, textOf } from './styles.ts';

export interface WrittenBody {
  readonly contentType: string;
  readonly body: Uint8Array | Readable;
}

interface Part {
  readonly head: Buffer;
  readonly content: GivenFile['content'];
}

const NEWLINE = Buffer.from('\r\n');

/** Throws `invalid_input`, or what opening a channel throws. */
export function writeMultipart(body: OperationBody, value: Record<string, unknown>, open: OpenReader): WrittenBody {
  const boundary = `greenroom-${randomUUID()}`;
  const parts = Object.entries(value).flatMap(([name, each]) => partsOf(name, each, body));
  const chunks = parts.flatMap(({ head, content }) => [Buffer.from(`--${boundary}\r\n`), head, content, NEWLINE]);
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: joined(chunks, open) };
}

/** One after the other. */
export function joined(chunks: readonly GivenFile['content'][], open: OpenReader): Uint8Array | Readable {
  if (chunks.every((chunk) => Buffer.isBuffer(chunk))) return Buffer.concat(chunks);
  const opened: Readable[] = [];
  const closeAll = (): void => {
    for (const source of opened) source.destroy();
  };
  try {
    const sources = chunks.map((chunk) => {
      if (Buffer.isBuffer(chunk)) return chunk;
      const source = open(chunk);
      // Whoever reads it sees the failure; until then nobody listens.
      source.on('error', () => undefined);
      opened.push(source);
      return source;
    });
    // A body that nobody began to read is closed without its generator ever running.
    return Readable.from(inOrder(sources), { objectMode: false }).once('close', closeAll);
  } catch (error) {
    closeAll();
    throw error;
  }
}

async function* inOrder(sources: readonly (Buffer | Readable)[]): AsyncGenerator<Buffer, void, undefined> {
  for (const source of sources) {
    if (Buffer.isBuffer(source)) yield source;
    else for await (const chunk of source) yield chunk as Buffer;
  }
}

// --- parts ---

function partsOf(name: string, value: unknown, body: OperationBody): Part[] {
  if (value === null || value === undefined) return [];
  const encoding = Object.hasOwn(body.encoding, name) ? body.encoding[name] : undefined;
  const path = `body.${name}`;
  if (body.files.includes(name)) {
    if (!Array.isArray(value)) return [filePart(name, requireFile(value, path), encoding)];
    return value.map((each, index) => filePart(name, requireFile(each, `${path}.${index}`), encoding));
  }
  if (hasStyle(encoding)) {
    const { style = 'form', explode = style === 'form' } = encoding ?? {};
    return pairsOf({ name, style, explode }, value, (text) => text, path).map(([key, text]) => textPart(key, text));
  }
  if (!Array.isArray(value)) return [valuePart(name, value, encoding, path)];
  return value.map((each, index) => valuePart(name, each, encoding, `${path}.${index}`));
}

export function hasStyle(encoding: PartEncoding | undefined): boolean {
  return encoding?.style !== undefined || encoding?.explode !== undefined || encoding?.allowReserved !== undefined;
}

/** Texts as they are, everything else as JSON, unless the document says otherwise. */
function valuePart(name: string, value: unknown, encoding: PartEncoding | undefined, path: string): Part {
  const contentType = encoding?.contentType;
  if (contentType === undefined ? typeof value === 'object' : isJson(contentType)) {
    return textPart(name, JSON.stringify(value), contentType ?? 'application/json');
  }
  return textPart(name, textOf(value, path), contentType);
}

function textPart(name: string, text: string, contentType?: string): Part {
  return { head: headOf(`name="${quoted(name)}"`, contentType), content: Buffer.from(text) };
}

function filePart(name: string, file: GivenFile, encoding: PartEncoding | undefined): Part {
  const contentType = file.contentType ?? onlyType(encoding?.contentType) ?? 'application/octet-stream';
  const filename = quoted(file.filename ?? name);
  return { head: headOf(`name="${quoted(name)}"; filename="${filename}"`, contentType), content: file.content };
}

/** A list or a range of media types says what may be sent, not what is. */
function onlyType(contentType: string | undefined): string | undefined {
  return contentType === undefined || /[,*]/.test(contentType) ? undefined : contentType;
}

function headOf(disposition: string, contentType: string | undefined): Buffer {
  const type = contentType === undefined ? '' : `Content-Type: ${oneLine(contentType)}\r\n`;
  return Buffer.from(`Content-Disposition: form-data; ${disposition}\r\n${type}\r\n`);
}

/** As browsers do it: nothing ends the quotes or the line. */
function quoted(text: string): string {
  return text.replace(/["\r\n]/g, (mark) => (mark === '"' ? '%22' : mark === '\r' ? '%0D' : '%0A'));
}

/** The document is not ours either. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '');
}
