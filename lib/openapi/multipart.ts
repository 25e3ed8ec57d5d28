// multipart/form-data: parts in the order of the payload, files from channels where they stand.

import { randomUUID } from 'node:crypto';
import type { OperationBody, PartEncoding } from './operation.ts';
import { requireFile } from './files.ts';
import type { GivenFile } from './files.ts';
import { isJson } from './media-types.ts';
import { pairsOf, textOf } from './styles.ts';
import { BodyWriter } from './written-body.ts';
import type { BodyChunk, WrittenBody } from './written-body.ts';

interface Part {
  readonly head: string;
  readonly content: string | BodyChunk;
}

/** Throws `invalid_input`. */
export function writeMultipart(body: OperationBody, value: Record<string, unknown>, maxBytes: number): WrittenBody {
  const boundary = `greenroom-${randomUUID()}`;
  const writer = new BodyWriter(maxBytes);
  for (const [name, each] of Object.entries(value)) {
    for (const { head, content } of partsOf(name, each, body)) {
      writer.add(`--${boundary}\r\n${head}`);
      writer.add(content);
      writer.add('\r\n');
    }
  }
  writer.add(`--${boundary}--\r\n`);
  return writer.end(`multipart/form-data; boundary=${boundary}`);
}

// --- parts ---

/** One by one: all the parts of a long list would take many times its memory. */
function* partsOf(name: string, value: unknown, body: OperationBody): Generator<Part, void, undefined> {
  if (value === null || value === undefined) return;
  const encoding = Object.hasOwn(body.encoding, name) ? body.encoding[name] : undefined;
  const path = `body.${name}`;
  if (!body.files.includes(name) && hasStyle(encoding)) {
    const { style = 'form', explode = style === 'form' } = encoding ?? {};
    for (const [key, text] of pairsOf({ name, style, explode }, value, (same) => same, path)) yield textPart(key, text);
    return;
  }
  const partOf = (each: unknown, at: string): Part =>
    body.files.includes(name) ? filePart(name, requireFile(each, at), encoding) : valuePart(name, each, encoding, at);
  if (!Array.isArray(value)) yield partOf(value, path);
  else for (const [index, each] of value.entries()) yield partOf(each, `${path}.${index}`);
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
  return { head: headOf(`name="${quoted(name)}"`, contentType), content: text };
}

function filePart(name: string, file: GivenFile, encoding: PartEncoding | undefined): Part {
  const contentType = file.contentType ?? encoding?.contentType ?? 'application/octet-stream';
  const filename = quoted(file.filename ?? name);
  return { head: headOf(`name="${quoted(name)}"; filename="${filename}"`, contentType), content: file.content };
}

function headOf(disposition: string, contentType: string | undefined): string {
  const type = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`;
  return `Content-Disposition: form-data; ${disposition}\r\n${type}\r\n`;
}

/** As browsers do it: nothing ends the quotes or the line. */
function quoted(text: string): string {
  return text.replace(/["\r\n]/g, (mark) => (mark === '"' ? '%22' : mark === '\r' ? '%0D' : '%0A'));
}
