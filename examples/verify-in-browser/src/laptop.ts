// Everything on one machine: an emulator, the enclave, and the parent's page server. Ends with Ctrl-C.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encodeHex } from '@nitro-enclaves/core';
import { startEmulator } from '@nitro-enclaves/emulator';
import type { Challenge } from './attestation-service.ts';
import { askEnclave } from './attestation-service.ts';
import { buildPage } from './build-page.ts';
import { NONCE_BYTES } from './nonce.ts';
import { createPageServer } from './page-server.ts';

const UP_TIMEOUT_MS = 60_000;

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
const ask = (request: Challenge) => askEnclave(emulator.transport, enclave.cid, request);
await untilItAnswers(ask);
const server = createPageServer({ page, ask });
server.listen(port, '127.0.0.1');
await once(server, 'listening');
console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
await stopped;
server.close();
server.closeAllConnections();

/** An enclave that was started has not come up yet. */
async function untilItAnswers(ask: (request: Challenge) => Promise<Uint8Array>): Promise<void> {
  const signal = AbortSignal.timeout(UP_TIMEOUT_MS);
  for (;;) {
    try {
      await ask({ nonce: new Uint8Array(NONCE_BYTES), signal });
      return;
    } catch (error) {
      if (signal.aborted) throw new Error('the enclave did not come up', { cause: error });
      await delay(100);
    }
  }
}
