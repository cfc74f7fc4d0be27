// The entry point of the image. The first line is the only one that finds out where it runs.
import { openEnclave } from '@nitro-enclaves/emulator/enclave';
import { readConfig } from './config.ts';
import { runTlsService } from './tls-service.ts';

const enclave = await openEnclave({ hardware: true });
await runTlsService(enclave, readConfig(process.env), new AbortController().signal);
