// The entry point of the image. The first line is the only one that finds out where it runs.
import { openEnclave } from '@nitro-enclaves/emulator/enclave';
import { SIGNER_PORT, Signer } from './application.ts';
import { readConfig } from './config.ts';

const enclave = await openEnclave({ hardware: true });
await new Signer(enclave, readConfig(process.env)).listen();
console.log(`signing for the parent on vsock port ${SIGNER_PORT}`);
