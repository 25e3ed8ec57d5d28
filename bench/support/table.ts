// Findings as text: aligned columns, numbers to the right with three or more significant digits.

import type { Findings } from './scenario.ts';
import { summarise } from './statistics.ts';

export function renderFindings({ measures, ratios }: Findings): string {
  const rows = measures.map(({ subject, quantity, perRound }) => [subject, quantity, ...cells(perRound)]);
  const ratioRows = ratios.map(({ label, perRound, atLeast }) => {
    const verdict = atLeast === undefined ? '' : `${goal(perRound, atLeast) ? 'met' : 'missed'}: goal ${atLeast}`;
    return [label, ...cells(perRound), verdict];
  });
  const texts = [align([['', 'quantity', 'median', 'min', 'max', 'rounds'], ...rows], 2)];
  if (ratioRows.length > 0) texts.push(align([['ratio', 'median', 'min', 'max', 'rounds', ''], ...ratioRows], 1));
  return texts.join('\n\n');
}

function goal(perRound: readonly number[], atLeast: number): boolean {
  return summarise(perRound).median >= atLeast;
}

function cells(perRound: readonly number[]): string[] {
  const { median, min, max } = summarise(perRound);
  return [...[median, min, max].map(digits), String(perRound.length)];
}

function digits(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}

/** The first `textColumns` columns are words and start at the left. */
function align(rows: readonly (readonly string[])[], textColumns: number): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column < textColumns || /[a-z]/.test(cell)
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}
