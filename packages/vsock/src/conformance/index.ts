import type { ConformanceTest } from './conformance-test.ts';
import { connecting } from './connecting.ts';
import { listening } from './listening.ts';
import { streaming } from './streaming.ts';

export type { ConformanceTest, TransportPair } from './conformance-test.ts';

/**
 * What every `Transport` must do, one sentence each. Free of any test framework, so that it runs under one and inside an
 * enclave alike: `for (const { name, run } of transportConformance) await run(pair)`. Each test uses ports of its own and
 * cleans up after itself; `run` rejects when its sentence does not hold, after two minutes at the latest.
 */
export const transportConformance: readonly ConformanceTest[] = [...connecting, ...streaming, ...listening];
