// The parent's side on an instance: makes the page of one image, and serves it beside the enclave's answers.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { unixTransport, VMADDR_CID_PARENT, vsockTransport } from '@nitro-enclaves/vsock';
import { askEnclave } from './attestation-service.ts';
import { buildPage } from './build-page.ts';
import { readImage } from './measurements.ts';
import { createPageServer } from './page-server.ts';

const { values } = parseArgs({
  options: {
    measurements: { type: 'string' },
    cid: { type: 'string', default: '16' },
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
    endpoint: { type: 'string', default: '/attestation' },
    output: { type: 'string' },
    emulator: { type: 'string' },
  },
});
const { measurements, cid, port, host, endpoint, output, emulator } = values;
if (measurements === undefined) {
  console.error('usage: node parent.js --measurements file.json [--cid 16] [--host 127.0.0.1] [--port 8080]');
  console.error('       node parent.js --measurements file.json --endpoint https://…/attestation --output page.html');
  console.error("       --emulator: the emulator's folder, in the place of AF_VSOCK");
  process.exit(2);
}

const page = await buildPage({ images: [await readImage(measurements, 'the published image')], endpoint });
if (output !== undefined) await writeFile(output, page);
else {
  const transport =
    emulator === undefined ? vsockTransport() : unixTransport({ folder: `${emulator}/vsock`, cid: VMADDR_CID_PARENT });
  const server = createPageServer({ page, ask: (request) => askEnclave(transport, Number(cid), request) });
  server.listen(Number(port), host, () => console.log(`http://${host}:${port}/`));
}
