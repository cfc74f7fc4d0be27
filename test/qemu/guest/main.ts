// The program of the test image: runs every test inside the enclave, and reports to the parent and on the console.
import { vsockTransport } from '@nitro-enclaves/vsock';
import { FIRST_PORT, startServices } from '../traffic/services.ts';
import { enclaveContext } from './enclave-context.ts';
import { GUEST_TESTS } from './guest-tests.ts';
import { ParentConnection } from './parent-connection.ts';
import { ReportPrinter } from './report-printer.ts';
import { runGuestTests } from './run-guest-tests.ts';

const transport = vsockTransport();
const parent = await ParentConnection.open(transport);
const endServices = parent && (await startServices(transport, FIRST_PORT.ENCLAVE, parent.settings.tls));

const printer = new ReportPrinter();
await runGuestTests(GUEST_TESTS, await enclaveContext(transport, parent), (result) => {
  printer.print(result);
  parent?.report(result);
});
printer.printCounts();
await endServices?.();
await parent?.end();
process.exitCode = printer.counts.failed === 0 ? 0 : 1;
