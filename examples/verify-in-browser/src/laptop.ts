// Everything on one machine: an emulator, the enclave, and the parent's page server. Ends with Ctrl-C.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { encodeHex } from '@nitro-enclaves/core';
import { startEmulator } from '@nitro-enclaves/emulator';
import { askEnclave } from './attestation-service.ts';
import { buildPage } from './build-page.ts';
import { createPageServer } from './page-server.ts';

const port = Number(process.argv[2] ?? 8080);
const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);

await using emulator = await startEmulator({ kms: false, onWarning: console.error });
const enclave = await emulator.runEnclave({
  command: [process.execPath, fileURLToPath(new URL('main.js', import.meta.url))],
  files: [fileURLToPath(new URL('.', import.meta.url))],
  enclaveName: 'verify-in-browser',
});
const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
const page = await buildPage({
  images: [{ name: 'verify-in-browser', pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
  emulatorRoot: encodeHex(emulator.rootCertificate),
  endpoint: '/attestation',
});
const server = createPageServer({ page, ask: (request) => askEnclave(emulator.transport, enclave.cid, request) });
server.listen(port, '127.0.0.1');
await once(server, 'listening');
console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
await stopped;
server.close();
server.closeAllConnections();
