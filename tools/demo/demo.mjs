// `npm run demo`: the main job, end to end, on this machine. Keys come in, an input is decrypted, a result is encrypted, and
// all of it is proven to whoever asked; then the same with everything that an adversary would try.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KMS } from '@aws-sdk/client-kms';
import { buildEif } from '@nitro-enclaves/eif';
import { startEmulator } from '@nitro-enclaves/emulator';
import { dataEncryption } from '@nitro-enclaves/kms';
import { APPLICATION_PORT, freshNonce, openResult, submit } from '@nitro-enclaves-examples/process-file';
import { makeRoot } from './bundle.mjs';
import { demoFlags } from './flags.mjs';
import { forgeries } from './forgeries.mjs';
import {
  ACCOUNT,
  arnOf,
  IMAGE_ENVIRONMENT,
  INPUT_KEY_ID,
  jobKeys,
  makeInput,
  REGION,
  RESULT_KEY_ID,
  reportSummary,
} from './job.mjs';
import { Report } from './report.mjs';

const flags = demoFlags({ megabytes: '50' });
process.removeAllListeners('warning');

const STRANGERS_KEY_ID = '11111111-2222-4333-8444-555555555503';
const MIB = 1_048_576;
const READY_MS = 120_000;
const ENTRY = fileURLToPath(
  import.meta.resolve('@nitro-enclaves-examples/process-file').replace(/index\.js$/, 'main.js'),
);
const report = new Report({ ...flags, isTTY: process.stdout.isTTY });
const startedAt = performance.now();
const work = await mkdtemp(join(tmpdir(), 'nitro-demo-'));

/** Builds an image of the example application; another banner makes another image of the same application. */
async function buildImage(name, banner) {
  const rootfs = join(work, `${name}-root`);
  await makeRoot(rootfs, { entry: ENTRY, banner });
  const kernel = join(work, 'bzImage');
  if (!existsSync(kernel)) await writeFile(kernel, 'The emulator boots no kernel; npm run demo:qemu does.');
  const built = await buildEif({
    rootfs,
    kernel,
    cmdline: 'reboot=k panic=30',
    architecture: arch() === 'arm64' ? 'aarch64' : 'x86_64',
    output: join(work, `${name}.eif`),
    env: IMAGE_ENVIRONMENT,
    name,
    entrypoint: ['/usr/bin/node', '/app/main.mjs'],
    workingDirectory: '/app',
  });
  await rm(rootfs, { recursive: true });
  return built;
}

/** Waits until the application in the enclave listens. */
async function ready(emulator, cid) {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    try {
      const socket = await emulator.transport.connect({ cid, port: APPLICATION_PORT, timeout: 1000 });
      socket.destroy();
      return;
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error('the application in the enclave did not come up', { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function launch(emulator, image, options = {}) {
  const memoryMiB = Math.ceil((image.byteLength * 4) / MIB);
  const enclave = await emulator.runEnclave({ eif: image.path, memoryMiB, ...options });
  await ready(emulator, enclave.cid);
  return enclave;
}

async function run() {
  report.title('An image, measured');
  const image = await report.step('built an enclave image from a folder, without Docker', () =>
    buildImage('process-file', ''),
  );
  report.line(`${(image.byteLength / MIB).toFixed(0)} MiB, process-file.eif`);
  for (const [name, value] of Object.entries(image.pcrs)) report.line(`${name} ${value}`);

  report.title('A key policy made of it');
  const keys = jobKeys(image.pcrs);
  const { Statement } = JSON.parse(keys[0].policy);
  for (const text of JSON.stringify(Statement[1], undefined, 2).split('\n')) report.line(text);

  const emulator = await report.step('started parent, hypervisor and KMS', () =>
    startEmulator({
      region: REGION,
      onWarning: (warning) => report.line(warning),
      kms: {
        accountId: ACCOUNT,
        audit: (line) => report.detail(`KMS ${line.slice(0, 400)}`),
        keys: [...keys, { keyId: STRANGERS_KEY_ID }],
      },
    }),
  );
  try {
    await mainJob(emulator, image);
  } finally {
    await emulator.close();
  }
}

async function mainJob(emulator, image) {
  const { kms } = emulator;
  const owner = new KMS({
    region: REGION,
    endpoint: kms.endpoint,
    credentials: kms.credentials,
    requestHandler: { httpsAgent: new Agent({ ca: kms.ca, keepAlive: true }) },
  });
  const inputs = dataEncryption({ client: owner, keyArn: arnOf(INPUT_KEY_ID) });
  const results = dataEncryption({ client: owner, keyArn: arnOf(RESULT_KEY_ID) });
  const { PCR0, PCR1, PCR2 } = image.pcrs;
  const images = [{ name: 'process-file', pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }];
  const checks = (nonce) => ({ images, emulatorRoot: emulator.rootCertificate, nonce, results });

  report.title('The job');
  const enclave = await report.step('the enclave runs', () => launch(emulator, image));
  report.line(`CID ${enclave.cid}, ${enclave.enclaveId}`);
  const { file, expected } = makeInput(inputs, { bytes: Number(flags.megabytes) * 1_000_000, outliers: 5 });
  const nonce = freshNonce();
  const answer = await report.step(
    `sent ${flags.megabytes} MB of payments, encrypted under KMS, through the parent`,
    () => submit(emulator.transport, enclave.cid, file, nonce),
  );
  const { summary, document } = await report.step('verified the attestation document and opened the result', () =>
    openResult(answer, checks(nonce)),
  );
  report.line(`${document.checks.length} checks held; module ${document.moduleId}`);
  reportSummary(report, summary, expected);

  await refusals({ emulator, enclave, image, inputs, owner, answer, checks });
  owner.destroy();
}

async function refusals({ emulator, enclave, image, inputs, owner, answer, checks }) {
  report.title('What is refused');
  const small = (encryption = inputs, more = {}) => makeInput(encryption, { bytes: 10_000, outliers: 0, ...more }).file;
  const ask = (cid, file = small()) => submit(emulator.transport, cid, file, freshNonce());

  const changed = await launch(emulator, await buildImage('changed', '// one line more\n'));
  await report.refusal('the same request to an image with one line more', ['AccessDenied'], () => ask(changed.cid));
  await changed.terminate();

  const debug = await launch(emulator, image, { debugMode: true });
  await report.refusal('the same request to the right image in debug mode', ['AccessDenied'], () => ask(debug.cid));
  await debug.terminate();

  await report.refusal('the answer to another request, replayed', ['NONCE_MISMATCH'], () =>
    openResult(answer, checks(freshNonce())),
  );
  const strangers = dataEncryption({ client: owner, keyArn: arnOf(STRANGERS_KEY_ID) });
  await report.refusal('a ciphertext under another key, swapped in', ['MESSAGE_REFUSED'], () =>
    ask(enclave.cid, small(strangers)),
  );
  await report.refusal('a ciphertext for another purpose, swapped in', ['CONTEXT_MISMATCH'], () =>
    ask(enclave.cid, small(inputs, { context: { purpose: 'refunds' } })),
  );
  const nonce = freshNonce();
  await report.refusal('the result of another request, under this document', ['USER_DATA_MISMATCH'], async () => {
    const fresh = await submit(emulator.transport, enclave.cid, small(), nonce);
    return openResult({ ...fresh, message: answer.message }, checks(nonce));
  });
  await report.refusal("the emulator's document where only AWS is trusted", ['TRUST_ANCHOR'], async () =>
    openResult(await submit(emulator.transport, enclave.cid, small(), nonce), {
      ...checks(nonce),
      emulatorRoot: undefined,
    }),
  );

  report.title("Forged documents, and AWS's own where NITRO_VECTORS names some");
  await forgeries(report, emulator);
}

try {
  await run();
} catch (error) {
  report.expect(false, `the demo ran to its end: ${error.stack}`);
} finally {
  await rm(work, { recursive: true, force: true });
}
const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
report.title(`${seconds} s in all`);
process.exit(report.finish({ seconds }));
