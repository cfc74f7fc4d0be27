// The entry point of the image. The first line is the only one that finds out where it runs.
import { openEnclave } from '@nitro-enclaves/emulator/enclave';
import { APPLICATION_PORT, Application, readConfig } from './application.ts';

const enclave = await openEnclave({ hardware: true });
await new Application(enclave, readConfig(process.env)).listen();
console.log(`taking files on vsock port ${APPLICATION_PORT}`);
