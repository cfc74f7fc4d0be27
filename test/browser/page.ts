import type { Scenario } from './scenario.ts';
import { play } from './scenario.ts';

Object.assign(globalThis, { play: (scenario: Scenario) => play(scenario) });
