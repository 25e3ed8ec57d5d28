// Preloaded with `--import` (`?checks=on` or `?checks=off`); threads inherit it, so both ends of the wire are alike.
// Both sides register the hooks, so that they differ in nothing else.

import { register } from 'node:module';

const checks = new URL(import.meta.url).searchParams.get('checks');
register('./size-check-hooks.js', import.meta.url, { data: { checks } });
