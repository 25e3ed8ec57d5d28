// The same in a process of its own.
import { work } from '../work.ts';

export default work('soaked-alone', { idleAfterMs: 4_000, isolation: 'process' });
