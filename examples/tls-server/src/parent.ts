// The parent's own part on an instance: gives the enclave the bundle, which is read anew each time. Everything else is
// `nitro-enclaves proxy`.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { unixTransport, VMADDR_CID_PARENT, vsockTransport } from '@nitro-enclaves/vsock';
import { BUNDLE_PORT, serveBundle } from './bundle-channel.ts';

const { values: flags, positionals } = parseArgs({ allowPositionals: true, options: { emulator: { type: 'string' } } });
const { emulator } = flags;
const [file] = positionals;
if (file === undefined) {
  console.error(`usage: node parent.js bundle.json
  --emulator  the emulator's folder, in the place of AF_VSOCK`);
  process.exit(2);
}
const transport =
  emulator === undefined ? vsockTransport() : unixTransport({ folder: `${emulator}/vsock`, cid: VMADDR_CID_PARENT });
await serveBundle(transport, () => readFile(file));
console.log(`giving ${file} on vsock port ${BUNDLE_PORT}`);
