// One SVG per scenario: a bar to the median, a line from the least to the greatest round. Vega is loaded only when a chart
// is drawn; it draws without a browser.

import type { TopLevelSpec } from 'vega-lite';
import type { Scenario, Findings } from './scenario.ts';
import { summarise } from './statistics.ts';

const WIDTH_PX = 560;
const ROW_PX = 24;

export async function drawChart({ name, question }: Scenario, findings: Findings, footer: string): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const { spec } = compile(describeChart(`${name}: ${question}`, findings, footer));
  return new vega.View(vega.parse(spec), { renderer: 'none' }).toSVG();
}

/** One panel per quantity, each with a scale of its own. */
function describeChart(title: string, { measures, ratios, chart }: Findings, footer: string): TopLevelSpec {
  const values =
    chart.of === 'measures'
      ? measures.map(({ subject, quantity, perRound }) => ({ subject, quantity, ...summarise(perRound) }))
      : ratios.map(({ label, perRound }) => ({ subject: label, quantity: 'ratio', ...summarise(perRound) }));
  const isLog = chart.scale === 'log';
  const scale = isLog ? { type: 'log' as const } : { zero: true };
  const y = { field: 'subject', type: 'nominal' as const, sort: null, title: null, axis: { labelLimit: 320 } };
  // A bar needs a zero, which a logarithm has not: there the median is a point.
  const mark = isLog ? { type: 'point' as const, filled: true, size: 70 } : { type: 'bar' as const, color: '#8fb3d9' };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, subtitle: footer, anchor: 'start', subtitleFontSize: 10 },
    background: 'white',
    vconcat: [...new Set(values.map(({ quantity }) => quantity))].map((quantity) => ({
      title: { text: quantity, fontSize: 11 },
      data: { values: values.filter((value) => value.quantity === quantity) },
      width: WIDTH_PX,
      height: { step: ROW_PX },
      layer: [
        { mark, encoding: { y, x: { field: 'median', type: 'quantitative', scale, title: null } } },
        {
          mark: { type: 'rule', color: '#1f3a5f' },
          encoding: { y, x: { field: 'min', type: 'quantitative', scale }, x2: { field: 'max' } },
        },
      ],
    })),
  };
}
