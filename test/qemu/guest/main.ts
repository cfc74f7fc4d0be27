// The program of the test image: runs every test inside the enclave, and reports to the parent and on the console.
import { vsockTransport } from '@nitro-enclaves/vsock';
import { FIRST_PORT, startServices } from '../traffic/services.ts';
import type { GuestResult } from './guest-test.ts';
import { GUEST_TESTS } from './guest-tests.ts';
import { ParentConnection } from './parent-connection.ts';
import { runGuestTests } from './run-guest-tests.ts';

const SIGNS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const;

function print({ name, outcome, duration, detail }: GuestResult): void {
  const lines = detail === undefined ? '' : `\n       ${detail.replaceAll('\n', '\n       ')}`;
  console.log(`${SIGNS[outcome]}  ${name} (${duration} ms)${lines}`);
}

const transport = vsockTransport();
const parent = await ParentConnection.open(transport);
const endServices = parent && (await startServices(transport, FIRST_PORT.ENCLAVE, parent.settings.tls));

const counts = { passed: 0, failed: 0, skipped: 0 };
await runGuestTests(GUEST_TESTS, transport, parent, (result) => {
  counts[result.outcome] += 1;
  print(result);
  parent?.report(result);
});
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
await endServices?.();
await parent?.end();
process.exitCode = counts.failed === 0 ? 0 : 1;
