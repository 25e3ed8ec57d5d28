// What a tool is given and what it answers, as values of functions: structured content first, a single text as a text, and parts otherwise.

import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/client';
import { GreenroomError } from '../errors.ts';
import { MAX_ERROR_CHARS } from '../limits.ts';
import { withoutCaller } from '../protocol/caller.ts';
import { decode, encode, isObject, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';

/** The arguments of a tool, without who calls. Rejects with `invalid_input` for what is neither an object nor null, or with what `withoutCaller` does. */
export async function argumentsOf(payload: Payload): Promise<Record<string, unknown>> {
  const value = decode(await withoutCaller(payload));
  if (value === null) return {};
  if (!isObject(value)) {
    const issues = [{ path: '', message: 'expected an object: the arguments of the tool' }];
    throw GreenroomError.of('invalid_input', { message: 'The tool does not accept this input.', details: { issues } });
  }
  return value;
}

/** The value of the function, encoded. Throws `tool_failed`. */
export function outputOf(result: CallToolResult): string {
  const { structuredContent, isError } = result;
  // Servers leave it out although the protocol asks for it.
  const content = result.content ?? [];
  if (isError === true) throw toolFailed(content);
  if (structuredContent !== undefined) return encode(structuredContent);
  const [first] = content;
  if (first === undefined) return 'null';
  if (content.length === 1 && first.type === 'text') return encode(first.text);
  return encode({ content: content.map(partOf) });
}

/** One part, in the manner of the API. */
function partOf(block: ContentBlock): Record<string, unknown> {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text };
    case 'image':
    case 'audio':
      return { type: block.type, mime_type: block.mimeType, base64: block.data };
    case 'resource': {
      const { uri, mimeType } = block.resource;
      const body = 'text' in block.resource ? { text: block.resource.text } : { base64: block.resource.blob };
      return { type: 'resource', uri, ...(mimeType !== undefined && { mime_type: mimeType }), ...body };
    }
    case 'resource_link': {
      const { uri, name, description, mimeType } = block;
      return {
        type: 'resource_link',
        uri,
        name,
        ...(description !== undefined && { description }),
        ...(mimeType !== undefined && { mime_type: mimeType }),
      };
    }
  }
}

function toolFailed(content: readonly ContentBlock[]): GreenroomError {
  const texts = content.flatMap((block) => (block.type === 'text' ? [block.text] : []));
  const message = texts.join('\n').slice(0, MAX_ERROR_CHARS);
  const rest = content.filter(({ type }) => type !== 'text').map(partOf);
  const isTold = rest.length > 0 && payloadBytes(encode(rest)) <= MAX_ERROR_CHARS;
  return GreenroomError.of('tool_failed', {
    ...(message !== '' && { message }),
    ...(isTold && { details: { content: rest } }),
  });
}
