#!/usr/bin/env node
// Builds the tests that run in QEMU into an image for real Nitro hardware, with the parent program that goes with it.
// Usage: node test/qemu/build-hardware-image.mjs --blobs /usr/share/nitro_enclaves/blobs [--output FOLDER]
//          [--kernel FILE --cmdline TEXT] [--module FILE]... [--instance-id ID] [--role-arn ARN] [--debug-mode]
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pcr3FromRoleArn, pcr4FromInstanceId, ZERO_PCR } from '@nitro-enclaves/eif';
import { bundleProgram } from './rig/bundle.mjs';
import { buildTestImage } from './rig/image.mjs';
import { selfSigned } from './rig/self-signed.mjs';

const PARENT = fileURLToPath(new URL('hardware-parent.ts', import.meta.url));
const LOAD = { bulkMebibytes: 1024, connections: 5000 };

const { values } = parseArgs({
  options: {
    blobs: { type: 'string' },
    kernel: { type: 'string' },
    cmdline: { type: 'string' },
    module: { type: 'string', multiple: true },
    output: { type: 'string', default: 'guest-tests' },
    'instance-id': { type: 'string' },
    'role-arn': { type: 'string' },
    'debug-mode': { type: 'boolean', default: false },
  },
});
if (values.blobs === undefined && values.kernel === undefined) {
  console.error('expected --blobs FOLDER (nitro-cli has one at /usr/share/nitro_enclaves/blobs) or --kernel FILE');
  process.exit(2);
}

function bootOptions({ blobs, kernel, cmdline, module: modules }) {
  return {
    ...(blobs === undefined ? {} : { blobs }),
    ...(kernel === undefined ? {} : { kernel }),
    ...(cmdline === undefined ? {} : { cmdline }),
    ...(modules === undefined ? {} : { modules }),
  };
}

function predictedPcrs({ PCR0, PCR1, PCR2 }) {
  const { 'instance-id': instanceId, 'role-arn': roleArn, 'debug-mode': debugMode } = values;
  return {
    ...(debugMode ? { 0: ZERO_PCR, 1: ZERO_PCR, 2: ZERO_PCR } : { 0: PCR0, 1: PCR1, 2: PCR2 }),
    ...(roleArn === undefined ? {} : { 3: pcr3FromRoleArn(roleArn) }),
    ...(instanceId === undefined ? {} : { 4: pcr4FromInstanceId(instanceId) }),
  };
}

const folder = resolve(values.output);
await mkdir(folder, { recursive: true });
const image = await buildTestImage({ output: join(folder, 'guest-tests.eif'), boot: bootOptions(values) });
await bundleProgram(PARENT, join(folder, 'parent'), 'parent.mjs');
const settings = {
  predictedPcrs: predictedPcrs(image.pcrs),
  tls: await selfSigned('services.test'),
  load: { outward: LOAD, inward: LOAD },
};
await writeFile(join(folder, 'settings.json'), JSON.stringify(settings, null, 1), { mode: 0o600 });

console.log(`${image.path}: ${image.byteLength} bytes
${Object.entries(image.pcrs)
  .map(([name, value]) => `${name} ${value}`)
  .join('\n')}

On the parent instance:
  node ${join(values.output, 'parent/lib/parent.mjs')} ${join(values.output, 'settings.json')} &
  nitro-cli run-enclave --eif-path ${join(values.output, 'guest-tests.eif')} --cpu-count 2 --memory 2048 --enclave-cid 16${values['debug-mode'] ? ' --debug-mode --attach-console' : ''}`);
