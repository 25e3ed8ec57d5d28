// The course of a soak as an SVG: memory, threads, workers and the delay of the main loop over time, with the faults that had happened.

import type { TopLevelSpec } from 'vega-lite';
import type { Sample } from './watch.ts';

const WIDTH_PX = 720;
const HEIGHT_PX = 110;
/** More points than pixels show nothing more. */
const MAX_POINTS = 150;

/** Lines of one panel, by what they are called. */
type Lines = Readonly<Record<string, (sample: Sample) => number>>;

const PANELS: readonly (readonly [title: string, lines: Lines])[] = [
  [
    'memory of the process of the runtime, MiB',
    { RSS: ({ rssMiB }) => rssMiB, 'heap in use': ({ heapMiB }) => heapMiB },
  ],
  [
    'hosts',
    {
      'threads alive': ({ threads }) => threads,
      'threads wanted': ({ hosts }) => hosts,
      processes: ({ processes }) => processes,
      quarantined: ({ quarantined }) => quarantined,
    },
  ],
  ['workers', { all: ({ workers }) => workers, hibernated: ({ hibernated }) => hibernated }],
  ['event loop delay of the main thread, p99 of each second, ms', { delay: ({ loopDelayP99Ms }) => loopDelayP99Ms }],
  ['faults so far', { faults: ({ faults }) => faults }],
];

export async function drawSoak(samples: readonly Sample[], title: string, footer: string): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const { spec } = compile(describe(thin(samples), title, footer));
  return new vega.View(vega.parse(spec), { renderer: 'none' }).toSVG();
}

/** Of each stretch the sample with the most memory: what is left out was less. */
function thin(samples: readonly Sample[]): Sample[] {
  const each = Math.ceil(samples.length / MAX_POINTS);
  const stretches = Array.from({ length: Math.ceil(samples.length / each) }, (_, at) =>
    samples.slice(at * each, (at + 1) * each),
  );
  return stretches.map((stretch) => stretch.reduce((most, sample) => (sample.rssMiB > most.rssMiB ? sample : most)));
}

function describe(samples: readonly Sample[], title: string, footer: string): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, subtitle: footer, anchor: 'start', subtitleFontSize: 10 },
    background: 'white',
    resolve: { scale: { color: 'independent' } },
    vconcat: PANELS.map(([panel, lines]) => ({
      title: { text: panel, fontSize: 11 },
      data: {
        values: samples.flatMap((sample) =>
          Object.entries(lines).map(([line, of]) => ({ second: sample.second, line, value: rounded(of(sample)) })),
        ),
      },
      width: WIDTH_PX,
      height: HEIGHT_PX,
      mark: { type: 'line' as const, strokeWidth: 1.2 },
      encoding: {
        x: { field: 'second', type: 'quantitative' as const, title: null, axis: { grid: false } },
        y: { field: 'value', type: 'quantitative' as const, title: null },
        color: { field: 'line', type: 'nominal' as const, sort: null, title: null },
      },
    })),
  };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
