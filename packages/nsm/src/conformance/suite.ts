import type { NsmDevice } from '../device.ts';

/** One statement about an {@link NsmDevice}; `run` rejects if it does not hold. */
export interface NsmConformanceTest {
  /** What holds, as a sentence. */
  name: string;
  run(device: NsmDevice): Promise<void>;
}
