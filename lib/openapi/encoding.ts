// Texts as they are kept and sent.

import { MAX_SCHEMA_TEXT_CHARS } from './bounds.ts';

/** JSON in characters of one byte each: a single one beyond Latin-1 would double what the text takes in memory. */
export function encode(value: unknown): string {
  return escaped(JSON.stringify(value), /[\u0100-\uffff]/g);
}

/** A JSON text with some of its characters spelt in ASCII. */
export function escaped(json: string, characters: RegExp): string {
  return json.replace(characters, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function shortened(text: string, maxChars = MAX_SCHEMA_TEXT_CHARS): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
