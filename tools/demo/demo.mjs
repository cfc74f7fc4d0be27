// `npm run demo`: the main job, end to end, on this machine. Keys come in, an input is decrypted, a result is encrypted, and
// all of it is proven to whoever asked; then the same with everything that an adversary would try.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    megabytes: { type: 'string', default: '50' },
  },
});
process.removeAllListeners('warning');

const { KMS } = await import('@aws-sdk/client-kms');
const { buildEif, createKmsPolicyStatement } = await import('@nitro-enclaves/eif');
const { startEmulator } = await import('@nitro-enclaves/emulator');
const { dataEncryption } = await import('@nitro-enclaves/kms');
const processFile = await import('@nitro-enclaves-examples/process-file');
const { makeRoot } = await import('./bundle.mjs');
const { forgeries } = await import('./forgeries.mjs');
const { paymentsFile } = await import('./payments-file.mjs');
const { Report } = await import('./report.mjs');

const { INPUT_CONTEXT, freshNonce, openResult, submit } = processFile;
const report = new Report({ ...flags, isTTY: process.stdout.isTTY });
const startedAt = performance.now();

const REGION = 'eu-west-1';
const ACCOUNT = '111122223333';
const INPUT_KEY_ID = '11111111-2222-4333-8444-555555555501';
const RESULT_KEY_ID = '11111111-2222-4333-8444-555555555502';
const STRANGERS_KEY_ID = '11111111-2222-4333-8444-555555555503';
const arnOf = (keyId) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${keyId}`;
const MIB = 1_048_576;
const work = await mkdtemp(join(tmpdir(), 'nitro-demo-'));
const entry = fileURLToPath(
  import.meta.resolve('@nitro-enclaves-examples/process-file').replace(/index\.js$/, 'main.js'),
);
const env = [
  `AWS_REGION=${REGION}`,
  `INPUT_KEY_ARN=${arnOf(INPUT_KEY_ID)}`,
  `RESULT_KEY_ARN=${arnOf(RESULT_KEY_ID)}`,
  'CREDENTIALS_TOKEN=what the parent has granted',
  'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true',
];

/** Builds an image of the example application; another banner makes another image of the same application. */
async function buildImage(name, banner) {
  const root = join(work, `${name}-root`);
  await makeRoot(root, { entry, banner });
  const kernel = join(work, 'bzImage');
  if (!existsSync(kernel)) await writeFile(kernel, 'The emulator boots no kernel; npm run demo:qemu does.');
  const output = join(work, `${name}.eif`);
  const architecture = arch() === 'arm64' ? 'aarch64' : 'x86_64';
  const options = { rootfs: root, kernel, cmdline: 'reboot=k panic=30', architecture, output, env, name };
  const built = await buildEif({
    ...options,
    entrypoint: ['/usr/bin/node', '/app/main.mjs'],
    workingDirectory: '/app',
  });
  await rm(root, { recursive: true });
  return built;
}

/** Cryptography for one image only; the rest for the account. */
function keyPolicy(pcrs, actions) {
  const principals = [`arn:aws:iam::${ACCOUNT}:root`];
  const { statement } = createKmsPolicyStatement({
    pcrs: { 0: pcrs.PCR0, 1: pcrs.PCR1, 2: pcrs.PCR2 },
    principals,
    actions,
  });
  const administration = {
    Sid: 'Account',
    Effect: 'Allow',
    Principal: { AWS: principals },
    NotAction: actions,
    Resource: '*',
  };
  return { Version: '2012-10-17', Statement: [administration, statement] };
}

/** Waits until the application in the enclave listens. */
async function ready(emulator, cid) {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      const socket = await emulator.transport.connect({ cid, port: processFile.APPLICATION_PORT, timeout: 1000 });
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
  const enclave = await emulator.runEnclave({
    eif: image.path,
    memoryMiB: Math.ceil((image.byteLength * 4) / MIB),
    ...options,
  });
  await ready(emulator, enclave.cid);
  return enclave;
}

/** What the sender knows of its own file. */
class Expected {
  rows = 0;
  cents = 0;
  outliers = [];
  add({ id, cents, isOutlier }) {
    this.rows += 1;
    this.cents += cents;
    if (isOutlier) this.outliers.push(id);
  }
}

async function run() {
  const bytes = Number(flags.megabytes) * 1_000_000;
  report.title('An image, measured');
  const image = await report.step('built an enclave image from a folder, without Docker', () =>
    buildImage('process-file', ''),
  );
  report.line(`${(image.byteLength / MIB).toFixed(0)} MiB, ${image.path.slice(work.length + 1)}`);
  for (const [name, value] of Object.entries(image.pcrs)) report.line(`${name} ${value}`);

  report.title('A key policy made of it');
  const inputPolicy = keyPolicy(image.pcrs, ['kms:Decrypt']);
  const resultPolicy = keyPolicy(image.pcrs, ['kms:GenerateDataKey']);
  for (const text of JSON.stringify(inputPolicy.Statement[1], undefined, 2).split('\n')) report.line(text);

  const wire = (line) => report.detail(`KMS ${line.slice(0, 400)}`);
  const emulator = await report.step('started parent, hypervisor and KMS', () =>
    startEmulator({
      region: REGION,
      onWarning: (warning) => report.line(warning),
      kms: {
        accountId: ACCOUNT,
        audit: wire,
        keys: [
          { keyId: INPUT_KEY_ID, alias: 'alias/payments', policy: JSON.stringify(inputPolicy) },
          { keyId: RESULT_KEY_ID, alias: 'alias/summaries', policy: JSON.stringify(resultPolicy) },
          { keyId: STRANGERS_KEY_ID },
        ],
      },
    }),
  );
  try {
    await mainJob(emulator, image, bytes);
  } finally {
    await emulator.close();
  }
}

async function mainJob(emulator, image, bytes) {
  const { kms } = emulator;
  const owner = new KMS({
    region: REGION,
    endpoint: kms.endpoint,
    credentials: kms.credentials,
    requestHandler: { httpsAgent: new Agent({ ca: kms.ca, keepAlive: true }) },
  });
  const inputs = dataEncryption({ client: owner, keyArn: arnOf(INPUT_KEY_ID) });
  const results = dataEncryption({ client: owner, keyArn: arnOf(RESULT_KEY_ID) });
  const images = [{ name: 'process-file', pcrs: { 0: image.pcrs.PCR0, 1: image.pcrs.PCR1, 2: image.pcrs.PCR2 } }];
  const checks = (nonce) => ({ images, emulatorRoot: emulator.rootCertificate, nonce, results });

  report.title('The job');
  const enclave = await report.step('the enclave runs', () => launch(emulator, image));
  report.line(`CID ${enclave.cid}, ${enclave.enclaveId}`);
  const expected = new Expected();
  const file = Readable.from(paymentsFile({ bytes, outliers: 5, onRow: (row) => expected.add(row) }));
  const nonce = freshNonce();
  const answer = await report.step(
    `sent ${flags.megabytes} MB of payments, encrypted under KMS, through the parent`,
    () => submit(emulator.transport, enclave.cid, file.pipe(inputs.encryptStream({ context: INPUT_CONTEXT })), nonce),
  );
  const { summary, document } = await report.step('verified the attestation document and opened the result', () =>
    openResult(answer, checks(nonce)),
  );
  report.line(`${document.checks.length} checks held; module ${document.moduleId}`);
  report.expect(
    summary.rows === expected.rows && summary.rejectedRows === 0,
    `${summary.rows} payments were read, none was lost`,
  );
  report.expect(summary.cents === expected.cents, `${(summary.cents / 100).toFixed(2)} in all, to the cent`);
  const found = summary.outliers.map(({ id }) => id);
  report.expect(JSON.stringify(found) === JSON.stringify(expected.outliers), `the outliers are ${found.join(', ')}`);
  for (const { merchant, payments, cents } of summary.merchants.slice(0, 3))
    report.line(`${merchant}: ${payments} payments, ${(cents / 100).toFixed(2)}`);

  await refusals({ emulator, enclave, image, inputs, results: { answer, checks }, owner });
  owner.destroy();
}

async function refusals({ emulator, enclave, image, inputs, results: { answer, checks }, owner }) {
  report.title('What is refused');
  const small = (encryption = inputs, context = INPUT_CONTEXT) =>
    Readable.from(paymentsFile({ bytes: 10_000, outliers: 0 })).pipe(encryption.encryptStream({ context }));
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
  const other = dataEncryption({ client: owner, keyArn: arnOf(STRANGERS_KEY_ID) });
  await report.refusal('a ciphertext under another key, swapped in', ['MESSAGE_REFUSED'], () =>
    ask(enclave.cid, small(other)),
  );
  await report.refusal('a ciphertext for another purpose, swapped in', ['CONTEXT_MISMATCH'], () =>
    ask(enclave.cid, small(inputs, { purpose: 'refunds' })),
  );
  const nonce = freshNonce();
  await report.refusal('the result of another request, under this document', ['USER_DATA_MISMATCH'], async () => {
    const fresh = await submit(emulator.transport, enclave.cid, small(), nonce);
    return openResult({ ...fresh, message: answer.message }, checks(nonce));
  });
  const withoutRoot = { ...checks(nonce), emulatorRoot: undefined };
  await report.refusal("the emulator's document where only AWS is trusted", ['TRUST_ANCHOR'], async () =>
    openResult(await submit(emulator.transport, enclave.cid, small(), nonce), withoutRoot),
  );

  report.title("Forged documents, and AWS's own where NITRO_VECTORS names some");
  await forgeries(report, emulator);
}

try {
  await mkdir(work, { recursive: true });
  await run();
} catch (error) {
  report.expect(false, `the demo ran to its end: ${error.stack}`);
} finally {
  await rm(work, { recursive: true, force: true });
}
const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
report.title(`${seconds} s in all`);
process.exit(report.finish({ seconds }));
