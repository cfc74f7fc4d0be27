import type { GuestTest } from './guest-test.ts';
import { nsmTests } from './nsm-tests.ts';

/** Everything that is tested inside the enclave, in the order in which it runs. */
export const GUEST_TESTS: readonly GuestTest[] = [...nsmTests];
