// The parent program for real hardware: `node parent/lib/parent.mjs SETTINGS.json`, on the parent instance, before the
// enclave is started. Prints the report of the enclave as it comes.
import { readFile } from 'node:fs/promises';
import { vsockTransport } from '@nitro-enclaves/vsock';
import type { GuestSettings } from './guest/guest-test.ts';
import { ReportPrinter } from './guest/report-printer.ts';
import { startParent } from './parent.ts';

const [settingsFile] = process.argv.slice(2);
if (settingsFile === undefined) throw new Error('usage: node parent.mjs SETTINGS.json');
const settings: GuestSettings = JSON.parse(await readFile(settingsFile, 'utf8'));

const printer = new ReportPrinter();
// nitro-cli itself answers the heartbeat of an enclave that it starts.
await using parent = await startParent({
  transport: vsockTransport(),
  settings,
  answersHeartbeat: false,
  onResult: (result) => printer.print(result),
});
console.log('waiting for the enclave');
await parent.reported;
printer.printCounts();
process.exitCode = printer.counts.failed === 0 ? 0 : 1;
