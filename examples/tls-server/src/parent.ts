// The parent's own part on an instance: gives the enclave the bundle, which is read anew each time. Everything else is
// `nitro-enclaves proxy`.
import { readFile } from 'node:fs/promises';
import { vsockTransport } from '@nitro-enclaves/vsock';
import { BUNDLE_PORT, serveBundle } from './bundle-channel.ts';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node parent.js bundle.json');
  process.exit(2);
}
await serveBundle(vsockTransport(), () => readFile(file));
console.log(`giving ${file} on vsock port ${BUNDLE_PORT}`);
