// How a process for a host is started: as this one was, as far as that concerns code (loaders, source maps, conditions), and without what
// concerns this process alone: its inspector, its profiles, its tests, its script and its heap.

/** Options of Node that are not passed on, by how they begin. */
const OWN =
  /^--(?:inspect|debug|max[-_]old[-_]space[-_]size|max[-_]semi[-_]space|test|watch|cpu-prof|heap-prof|heapsnapshot|prof\b|input-type|run\b)/;
/** Options whose value is a script that must not run again. */
const SCRIPT = /^(?:-e|-p|-pe|--eval|--print|-i|--interactive|-c|--check)$/;

/** @param execArgv options of Node that this process was started with */
export function argumentsOf(execArgv: readonly string[], heapMiB: number): string[] {
  return [...passedOn(execArgv), `--max-old-space-size=${heapMiB}`];
}

/** The environment as it is, but for such options in NODE_OPTIONS. */
export function environmentOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const options = env['NODE_OPTIONS'];
  return options === undefined ? env : { ...env, NODE_OPTIONS: passedOn(options.split(' ')).join(' ') };
}

function passedOn(options: readonly string[]): string[] {
  let isKept = true;
  return options.filter((option) => {
    // What is no option is the value of the one before, and goes its way.
    if (option.startsWith('-')) isKept = !OWN.test(option) && !SCRIPT.test(option);
    return isKept;
  });
}
