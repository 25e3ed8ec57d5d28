// What a dry run shows: the functions that would be made, with their schemas as far as these fit into one answer.

import { toPlainFormat } from '../functions/format.ts';
import type { SourcePreview } from '../protocol/views.ts';
import { PREVIEW_FORMAT_CHARS } from './bounds.ts';
import { cut } from './reading.ts';
import type { Selection } from './reading.ts';
import type { SourceDefinition } from './source.ts';

export function previewOf({ name, type }: SourceDefinition, selection: Selection): SourcePreview {
  let leftChars = PREVIEW_FORMAT_CHARS;
  let formatsOmitted = 0;
  const show = (format: unknown): unknown => {
    if (format === null || format === undefined) return null;
    if (leftChars > 0) {
      const plain = toPlainFormat(format);
      leftChars -= JSON.stringify(plain).length;
      if (leftChars >= 0) return plain;
    }
    formatsOmitted++;
    return null;
  };
  const functions = Array.from(selection.functions, ([functionId, found]) => ({
    functionId,
    description: found.description === null ? null : cut(found.description),
    requestFormat: show(found.requestFormat),
    responseFormat: show(found.responseFormat),
  }));
  const { title, unmapped, unmappedTotal } = selection;
  return { name, type, title, functions, formatsOmitted, unmapped, unmappedTotal };
}
