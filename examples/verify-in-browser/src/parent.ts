// The parent's side on an instance: makes the page of one image, and serves it beside the enclave's answers.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { vsockTransport } from '@nitro-enclaves/vsock';
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
  },
});
const { measurements, cid, port, host, endpoint, output } = values;
if (measurements === undefined) {
  console.error('usage: node parent.js --measurements file.json [--cid 16] [--host 127.0.0.1] [--port 8080]');
  console.error('       node parent.js --measurements file.json --endpoint https://…/attestation --output page.html');
  process.exit(2);
}

const page = await buildPage({ images: [await readImage(measurements, 'the published image')], endpoint });
if (output !== undefined) await writeFile(output, page);
else {
  const transport = vsockTransport();
  const server = createPageServer({ page, ask: (request) => askEnclave(transport, Number(cid), request) });
  server.listen(Number(port), host, () => console.log(`http://${host}:${port}/`));
}
