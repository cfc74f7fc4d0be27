import { attestationTests } from './attestation.ts';
import { describeTests } from './describe.ts';
import { pcrTests, rangeLockTests } from './pcrs.ts';
import { closeTests, requestTests } from './requests.ts';
import type { NsmConformanceTest } from './suite.ts';

export type { NsmConformanceTest } from './suite.ts';

/**
 * What every {@link NsmDevice} must do, real or emulated. The tests stand alone on a device of an enclave that has just
 * started, or run in this order on one and the same: PCRs stay locked, so the ones that lock all of them come last, and
 * the one that closes the device at the very end.
 */
export const NSM_CONFORMANCE: readonly NsmConformanceTest[] = [
  ...describeTests,
  ...pcrTests,
  ...attestationTests,
  ...requestTests,
  ...rangeLockTests,
  ...closeTests,
];
