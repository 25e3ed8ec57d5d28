// The same on a thread of its own.
import { work } from '../work.ts';

export default work('soaked-apart', { idleAfterMs: 2_000, isolation: 'dedicated' });
