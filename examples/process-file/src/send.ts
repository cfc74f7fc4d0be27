// The sender's side as a command: encrypts a file, has an enclave summarize it, and prints the summary once it is verified.
// Runs on the parent instance; a sender elsewhere does the same and lets the parent carry the bytes.
import { X509Certificate } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { KMS } from '@aws-sdk/client-kms';
import { dataEncryption } from '@nitro-enclaves/kms';
import { unixTransport, VMADDR_CID_PARENT, vsockTransport } from '@nitro-enclaves/vsock';
import { INPUT_CONTEXT } from './application.ts';
import { freshNonce, openResult, submit, untilListening } from './client.ts';

/** Longest that an enclave takes to boot. */
const BOOT_MS = 120_000;
const USAGE = `usage: node send.js --cid <cid> --image <json> --input-key <arn> --result-key <arn> <file.csv>
  --image     what \`nitro-enclaves eif build --json\` printed: the only image that is trusted
  --emulator  the emulator's folder, in the place of AF_VSOCK and AWS's root`;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cid: { type: 'string' },
    image: { type: 'string' },
    'input-key': { type: 'string' },
    'result-key': { type: 'string' },
    emulator: { type: 'string' },
  },
});
const { cid, image, 'input-key': inputKey, 'result-key': resultKey, emulator } = flags;
const [file] = positionals;
if (!cid || !image || !inputKey || !resultKey || file === undefined) {
  console.error(USAGE);
  process.exit(2);
}

const transport =
  emulator === undefined ? vsockTransport() : unixTransport({ folder: `${emulator}/vsock`, cid: VMADDR_CID_PARENT });
const emulatorRoot = emulator && new X509Certificate(readFileSync(`${emulator}/root.pem`)).raw;
const { PCR0, PCR1, PCR2 } = JSON.parse(readFileSync(image, 'utf8')).Measurements;
const client = new KMS();
const inputs = dataEncryption({ client, keyArn: inputKey });
const results = dataEncryption({ client, keyArn: resultKey });

await untilListening(transport, Number(cid), AbortSignal.timeout(BOOT_MS));
const nonce = freshNonce();
const message = createReadStream(file).pipe(inputs.encryptStream({ context: INPUT_CONTEXT }));
const answer = await submit(transport, Number(cid), message, nonce);
const { summary, document } = await openResult(answer, {
  images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
  nonce,
  results,
  ...(emulatorRoot ? { emulatorRoot } : {}),
});
console.error(`verified: ${document.checks.length} checks held, module ${document.moduleId}`);
console.log(JSON.stringify(summary, undefined, 2));
client.destroy();
