// `npm run demo:qemu`: the same application, booted for real in QEMU's nitro-enclave machine: our image, our init, the kernel's
// /dev/nsm and AF_VSOCK; KMS through the parent's proxy. QEMU signs no documents, so nobody can verify them: this KMS is told by
// name to believe them, and the demo says so.
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KMS } from '@aws-sdk/client-kms';
import { decodeCbor, decodeCoseSign1, encodeHex } from '@nitro-enclaves/core';
import { buildEif } from '@nitro-enclaves/eif';
import { startEmulatedKms, unsignedDocumentsAllowed } from '@nitro-enclaves/emulator';
import { dataEncryption } from '@nitro-enclaves/kms';
import { ProxyService, startCredentialServer } from '@nitro-enclaves/parent';
import { unixTransport } from '@nitro-enclaves/vsock';
import { APPLICATION_PORT, freshNonce, RESULT_CONTEXT, submit } from '@nitro-enclaves-examples/process-file';
import { bundleProgram } from '../../test/qemu/rig/bundle.mjs';
import { ENCLAVE_CID, QemuEnclave } from '../../test/qemu/rig/enclave.mjs';
import { copyProgram } from '../../test/qemu/rig/guest-root.mjs';
import { CMDLINE } from '../../test/qemu/rig/image.mjs';
import { prepareRig, rigImpossible } from '../../test/qemu/rig/rig.mjs';
import { demoFlags } from './flags.mjs';
import {
  ACCOUNT,
  arnOf,
  CREDENTIALS_TOKEN,
  IMAGE_ENVIRONMENT,
  INPUT_KEY_ID,
  jobKeys,
  makeInput,
  REGION,
  RESULT_KEY_ID,
  reportSummary,
  sha256,
} from './job.mjs';
import { Report } from './report.mjs';

const flags = demoFlags({ megabytes: '5' });
process.removeAllListeners('warning');
const report = new Report({ ...flags, isTTY: process.stdout.isTTY });
const startedAt = performance.now();
const ENTRY = fileURLToPath(new URL('../../examples/process-file/src/main.ts', import.meta.url));
const HEARTBEAT_PORT = 9000;
const KMS_PORT = 8000;
const READY_MS = 600_000;

async function buildImage(work, rig, kms) {
  const rootfs = join(work, 'root');
  await copyProgram(rootfs, process.execPath, '/usr/bin/node');
  await bundleProgram(ENTRY, join(rootfs, 'app'), 'main.mjs');
  return buildEif({
    rootfs,
    kernel: rig.kernel,
    modules: rig.modules,
    cmdline: CMDLINE,
    output: join(work, 'process-file.eif'),
    env: [...IMAGE_ENVIRONMENT, `KMS_AUTHORITY_BASE64=${Buffer.from(kms.ca).toString('base64')}`],
    entrypoint: ['/usr/bin/node', '/app/lib/main.mjs'],
    workingDirectory: '/app',
  });
}

/** Answers the init's heartbeat, as nitro-cli does. */
async function answerHeartbeat(transport) {
  const server = transport.createServer({}, (socket) => socket.once('data', (byte) => socket.end(byte)));
  return server.listen({ port: HEARTBEAT_PORT });
}

/** The parent's services: the proxy to KMS and the credentials, as on an instance. */
async function startParent(transport, kms) {
  const to = { kind: 'tcp', host: kms.host, port: kms.port };
  const route = { direction: 'egress', name: 'kms', vsockPort: KMS_PORT, to, allow: [], cids: undefined };
  const allowList = [{ address: kms.host, port: kms.port }];
  const proxy = new ProxyService({
    transport,
    config: { routes: [route], allowList },
    log: (entry) => report.detail(JSON.stringify(entry)),
  });
  await proxy.start();
  const credentials = await startCredentialServer({
    transport,
    grants: [{ cid: ENCLAVE_CID, token: CREDENTIALS_TOKEN }],
    credentials: async () => ({ ...kms.credentials, expiration: new Date(Date.now() + 3_600_000) }),
  });
  const heartbeat = await answerHeartbeat(transport);
  return async () => {
    await proxy.drain({ timeout: 0 });
    await credentials[Symbol.asyncDispose]();
    await heartbeat.drain({ timeout: 0 });
  };
}

async function ready(transport, enclave) {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const socket = await transport
      .connect({ cid: ENCLAVE_CID, port: APPLICATION_PORT, timeout: 5000 })
      .catch(() => undefined);
    socket?.destroy();
    if (enclave.console.some((line) => line.includes('taking files'))) return;
    if (performance.now() > deadline)
      throw new Error(`the application did not come up:\n${enclave.console.slice(-20).join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function run(work) {
  const rig = await report.step('QEMU, kernel and vsock back end are there', () =>
    prepareRig((what) => report.detail(what)),
  );
  const kms = await startEmulatedKms({
    region: REGION,
    accountId: ACCOUNT,
    attestation: { [unsignedDocumentsAllowed]: true },
    keys: [{ keyId: INPUT_KEY_ID }, { keyId: RESULT_KEY_ID }],
    audit: (line) => report.detail(`KMS ${line.slice(0, 400)}`),
  });
  // The image names the authority of this KMS, the keys' policies name the image.
  const image = await report.step('built an enclave image', () => buildImage(work, rig, kms));
  for (const [name, value] of Object.entries(image.pcrs)) report.line(`${name} ${value}`);
  const agent = new Agent({ ca: kms.ca, keepAlive: true });
  const { endpoint, credentials } = kms;
  const owner = new KMS({ region: REGION, endpoint, credentials, requestHandler: { httpsAgent: agent } });
  for (const { keyId, policy } of jobKeys(image.pcrs)) await owner.putKeyPolicy({ KeyId: keyId, Policy: policy });
  const transport = unixTransport({ folder: work, cid: 3 });
  const stopParent = await startParent(transport, kms);
  try {
    await job({ work, rig, image, transport, owner });
  } finally {
    owner.destroy();
    await stopParent();
    await kms.close();
  }
}

async function job({ work, rig, image, transport, owner }) {
  const memory = Math.max(1024, Math.ceil((image.byteLength * 5) / 1_048_576));
  const enclave = await QemuEnclave.boot({
    rig,
    image: image.path,
    folder: work,
    ports: [APPLICATION_PORT],
    memory,
    onConsole: (line) => report.detail(line),
  });
  try {
    await report.step('booted in QEMU, without hardware virtualisation', () => ready(transport, enclave));
    const { file, expected } = makeInput(dataEncryption({ client: owner, keyArn: arnOf(INPUT_KEY_ID) }), {
      bytes: Number(flags.megabytes) * 1_000_000,
      outliers: 5,
    });
    const nonce = freshNonce();
    const { document, message } = await report.step(
      `sent ${flags.megabytes} MB over AF_VSOCK, got a sealed result`,
      () => submit(transport, ENCLAVE_CID, file, nonce),
    );
    // Not the verifier's parser: that refuses QEMU's documents for their algorithm already.
    const claims = decodeCbor(decodeCoseSign1(document).payload);
    const isSame = (name, bytes) => encodeHex(claims.get(name) ?? new Uint8Array()) === encodeHex(bytes);
    const measured = encodeHex(claims.get('pcrs').get(0));
    report.expect(measured === image.pcrs.PCR0, "the kernel's NSM reports the PCR0 that was calculated");
    report.expect(isSame('nonce', nonce), 'the document carries the nonce');
    report.expect(isSame('user_data', sha256(message)), 'the document binds the result');
    report.line('the document is not signed: QEMU signs none, and no verifier accepts it');
    const results = dataEncryption({ client: owner, keyArn: arnOf(RESULT_KEY_ID) });
    const { plaintext } = await results.decrypt(message, { context: RESULT_CONTEXT });
    reportSummary(report, JSON.parse(Buffer.from(plaintext).toString('utf8')), expected);
  } finally {
    await enclave.terminate();
  }
}

const impossible = rigImpossible();
if (impossible !== undefined) {
  console.error(`this machine cannot boot the image: it ${impossible}`);
  process.exit(4);
}
const work = await mkdtemp(join(tmpdir(), 'nitro-demo-'));
report.title('A real boot');
try {
  await run(work);
} catch (error) {
  report.expect(false, `the demo ran to its end: ${error.stack}`);
} finally {
  await rm(work, { recursive: true, force: true });
}
const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
report.title(`${seconds} s in all`);
process.exit(report.finish({ seconds }));
