// Asks an enclave for its greeting, from the parent: `node ask.js --cid 16`.
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { unixTransport, VMADDR_CID_PARENT, vsockTransport } from '@nitro-enclaves/vsock';
import { GREETING_PORT } from './greeting.ts';

const { values: flags } = parseArgs({ options: { cid: { type: 'string' }, emulator: { type: 'string' } } });
const { cid, emulator } = flags;
if (!cid) {
  console.error(`usage: node ask.js --cid <cid>
  --emulator  the emulator's folder, in the place of AF_VSOCK`);
  process.exit(2);
}
const transport =
  emulator === undefined ? vsockTransport() : unixTransport({ folder: `${emulator}/vsock`, cid: VMADDR_CID_PARENT });
process.stdout.write(await text(await transport.connect({ cid: Number(cid), port: GREETING_PORT, timeout: 10_000 })));
