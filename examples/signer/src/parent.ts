// The parent's side as a command: serves the HTTP API until it is told to stop.
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { unixTransport, VMADDR_CID_PARENT, vsockTransport } from '@nitro-enclaves/vsock';
import { startParentApi } from './parent-api.ts';

const { values: flags } = parseArgs({
  options: {
    cid: { type: 'string' },
    data: { type: 'string' },
    port: { type: 'string', default: '8080' },
    emulator: { type: 'string' },
  },
});
const { cid, data, port, emulator } = flags;
if (!cid || !data) {
  console.error(`usage: node parent.js --cid <cid> --data <folder> [--port <port>]
  --data      keeps the sealed key and the audit trail
  --emulator  the emulator's folder, in the place of AF_VSOCK`);
  process.exit(2);
}

mkdirSync(data, { recursive: true, mode: 0o700 });
const transport =
  emulator === undefined ? vsockTransport() : unixTransport({ folder: `${emulator}/vsock`, cid: VMADDR_CID_PARENT });
const api = await startParentApi({ transport, cid: Number(cid), folder: data, port: Number(port) });
console.log(`signing at ${api.url}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => api.close());
