// On a host that it shares. What it creates is restarted alone.
import { work } from '../work.ts';

export default work('soaked', { idleAfterMs: 300, strategy: 'one_for_one' });
