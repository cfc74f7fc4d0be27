// The program of the test image: runs every test inside the enclave, and reports to the parent and on the console.
import { createInterface } from 'node:readline';
import type { VsockSocket } from '@nitro-enclaves/vsock';
import { VMADDR_CID_PARENT, vsockTransport } from '@nitro-enclaves/vsock';
import type { GuestResult, GuestSettings } from './guest-test.ts';
import { PARENT_PORT } from './guest-test.ts';
import { GUEST_TESTS } from './guest-tests.ts';
import { runGuestTests } from './run-guest-tests.ts';

const SIGNS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const;

function print({ name, outcome, duration, detail }: GuestResult): void {
  const lines = detail === undefined ? '' : `\n       ${detail.replaceAll('\n', '\n       ')}`;
  console.log(`${SIGNS[outcome]}  ${name} (${duration} ms)${lines}`);
}

async function readSettings(parent: VsockSocket): Promise<GuestSettings> {
  for await (const line of createInterface({ input: parent })) return JSON.parse(line);
  throw new Error('expected settings from the parent, found the end of the connection');
}

const transport = vsockTransport();
const parent = await transport
  .connect({ cid: VMADDR_CID_PARENT, port: PARENT_PORT.REPORT, timeout: 5000, allowHalfOpen: true })
  .catch((error: unknown) => {
    console.log(`no parent program: ${String(error)}`);
  });
const settings = parent ? await readSettings(parent) : undefined;

const counts = { passed: 0, failed: 0, skipped: 0 };
await runGuestTests(GUEST_TESTS, { transport, settings }, (result) => {
  counts[result.outcome] += 1;
  print(result);
  parent?.write(`${JSON.stringify(result)}\n`);
});
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
if (parent) await new Promise<void>((resolve) => parent.end(resolve));
process.exitCode = counts.failed === 0 ? 0 : 1;
