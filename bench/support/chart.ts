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

function describeChart(title: string, { measures, ratios, chart }: Findings, footer: string): TopLevelSpec {
  const values =
    chart.of === 'measures'
      ? measures.map(({ subject, quantity, perRound }) => ({ subject, quantity, ...summarise(perRound) }))
      : ratios.map(({ label, perRound }) => ({ subject: label, quantity: 'ratio', ...summarise(perRound) }));
  const scale = chart.scale === 'log' ? { type: 'log' as const } : { zero: true };
  const y = { field: 'subject', type: 'nominal' as const, sort: null, title: null, axis: { labelLimit: 320 } };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, subtitle: footer, anchor: 'start', subtitleFontSize: 10 },
    background: 'white',
    data: { values },
    facet: { row: { field: 'quantity', type: 'nominal', sort: null, title: null, header: { labelAngle: 0, labelAlign: 'left' } } },
    resolve: { scale: { x: 'independent', y: 'independent' } },
    spec: {
      width: WIDTH_PX,
      height: { step: ROW_PX },
      layer: [
        // A bar needs a zero, which a logarithm has not: there the median is a point.
        {
          mark: chart.scale === 'log' ? { type: 'point', filled: true, size: 70 } : { type: 'bar', color: '#8fb3d9' },
          encoding: { y, x: { field: 'median', type: 'quantitative', scale, title: null } },
        },
        {
          mark: { type: 'rule', color: '#1f3a5f' },
          encoding: { y, x: { field: 'min', type: 'quantitative', scale }, x2: { field: 'max' } },
        },
      ],
    },
  };
}
