import { doctorTests } from './doctor-tests.ts';
import type { GuestTest } from './guest-test.ts';
import { kmsFaultTests } from './kms-fault-tests.ts';
import { kmsTests } from './kms-tests.ts';
import { nsmTests } from './nsm-tests.ts';
import { relayTests } from './relay-tests.ts';
import { trafficTests } from './traffic-tests.ts';
import { transportTests } from './transport-tests.ts';

/** Everything that is tested inside the enclave, in the order in which it runs. */
export const GUEST_TESTS: readonly GuestTest[] = [
  ...doctorTests,
  ...nsmTests,
  ...transportTests,
  ...relayTests,
  ...trafficTests,
  ...kmsTests,
  ...kmsFaultTests,
];
