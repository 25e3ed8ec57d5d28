// Package entry "greenroom/testing": a runtime for the tests of actors. Same semantics, no threads, so that breakpoints and
// coverage reach the actor; it cannot kill a handler that never yields.

import { createRuntime } from '../runtime.ts';
import type { Runtime, RuntimeOptions } from '../runtime.ts';

export type { Runtime } from '../runtime.ts';

/** A runtime on the main thread. `await using runtime = await createTestRuntime({ actors: [url] })` closes it by itself. */
export function createTestRuntime(options: Omit<RuntimeOptions, 'hosts'>): Promise<Runtime> {
  return createRuntime({ ...options, hosts: 0 });
}

export { createSimulation } from './simulation.ts';
export type { Faults, LaneChoice, Simulation, SimulationOptions } from './simulation.ts';
export type { Probe } from './probe.ts';
export type { VirtualClock } from './virtual-clock.ts';
export { simulate } from './simulate.ts';
export type { SimulateOptions, SimulateReport } from './simulate.ts';
export type { FaultName } from './commands.ts';
export type { Corrupt } from './simulated-hosts.ts';
