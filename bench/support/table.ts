// Findings as text: aligned columns, numbers to the right with three or more significant digits.

import { hasGoal, isMet } from './scenario.ts';
import type { Findings, Goal } from './scenario.ts';
import { summarise } from './statistics.ts';

export function renderFindings({ measures, ratios, notes = [] }: Findings): string {
  const rows = measures.map((measure) => {
    const { subject, quantity, perRound } = measure;
    return [subject, quantity, ...cells(perRound), verdict(measure, perRound)];
  });
  const ratioRows = ratios.map((ratio) => [ratio.label, ...cells(ratio.perRound), verdict(ratio, ratio.perRound)]);
  const texts: string[] = [];
  if (rows.length > 0) texts.push(align([['', 'quantity', 'median', 'min', 'max', 'rounds', ''], ...rows], 2));
  if (ratioRows.length > 0) texts.push(align([['ratio', 'median', 'min', 'max', 'rounds', ''], ...ratioRows], 1));
  if (notes.length > 0) texts.push(notes.map((note) => `note: ${note}`).join('\n'));
  return texts.join('\n\n');
}

function verdict(goal: Goal, perRound: readonly number[]): string {
  if (!hasGoal(goal)) return '';
  return `${isMet(goal, summarise(perRound).median) ? 'met' : 'missed'}: goal ${goalText(goal)}`;
}

export function goalText({ atLeast, atMost }: Goal): string {
  return [
    ...(atLeast === undefined ? [] : [`>= ${atLeast.toLocaleString('en')}`]),
    ...(atMost === undefined ? [] : [`<= ${atMost.toLocaleString('en')}`]),
  ].join(' and ');
}

function cells(perRound: readonly number[]): string[] {
  const { median, min, max } = summarise(perRound);
  return [...[median, min, max].map(digits), String(perRound.length)];
}

export function digits(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}

/** The first `textColumns` columns are words and start at the left. */
export function align(rows: readonly (readonly string[])[], textColumns: number): string {
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
