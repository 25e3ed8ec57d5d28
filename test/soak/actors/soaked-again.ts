// The same, whose inputs run again when their host dies.
import { work } from '../work.ts';

export default work('soaked-again', { idleAfterMs: 300, onInterrupt: 'retry' });
