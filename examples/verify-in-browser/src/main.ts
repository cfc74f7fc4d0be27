// The entry point of the image. The first line is the only one that finds out where it runs.
import { openEnclave } from '@nitro-enclaves/emulator/enclave';
import { ATTESTATION_PORT, serveDocuments } from './attestation-service.ts';

const enclave = await openEnclave({ hardware: true });
await serveDocuments(enclave);
console.log(`answering challenges on vsock port ${ATTESTATION_PORT}`);
