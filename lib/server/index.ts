// Package entry "greenroom/server": the REST API, as a server of its own or as routes in a Backend's Fastify app.
// Kept apart from the root entry so that embedding a runtime does not load an HTTP framework.

export { greenroomRoutes } from './routes.ts';
export type { GreenroomRoutesOptions, ServedRuntime } from './routes.ts';
export { startServer } from './server.ts';
export type { RunningServer, ServerOptions } from './server.ts';
