// The entry point of the image. The first line is the only one that finds out where it runs.
import { openEnclave } from '@nitro-enclaves/emulator/enclave';
import { greetingOf, serveGreeting } from './greeting.ts';

const enclave = await openEnclave({ hardware: true });
const greeting = await greetingOf(enclave);
await serveGreeting(enclave, greeting);
process.stdout.write(greeting);
