// A client as a command: verifies that the API speaks for an enclave of the image, and that its audit trail is whole.
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { TrailEntry } from './audit-trail.ts';
import { verifyTrail } from './audit-trail.ts';
import { verifySigner } from './client.ts';

const { values: flags } = parseArgs({
  options: { url: { type: 'string' }, image: { type: 'string' }, emulator: { type: 'string' } },
});
const { url, image, emulator } = flags;
if (!url || !image) {
  console.error(`usage: node verify.js --url <url of the API> --image <json>
  --image     what \`nitro-enclaves eif build --json\` or describe-enclaves printed: the only image that is trusted
  --emulator  the emulator's folder: its root is trusted, in the place of AWS's`);
  process.exit(2);
}

async function get(path: string): Promise<Record<string, unknown>> {
  const response = await fetch(new URL(path, url));
  const body = (await response.json()) as Record<string, unknown>;
  if (response.ok) return body;
  throw new Error(`expected an answer to ${path}, found ${JSON.stringify(body)}`);
}

const [{ Measurements }] = [JSON.parse(readFileSync(image, 'utf8'))].flat();
const { PCR0, PCR1, PCR2 } = Measurements;
const nonce = randomBytes(32);
const { document } = await get(`/attestation?nonce=${nonce.toString('hex')}`);
const signer = await verifySigner(Buffer.from(String(document), 'base64'), {
  images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
  nonce,
  ...(emulator === undefined ? {} : { emulatorRoot: new X509Certificate(readFileSync(`${emulator}/root.pem`)).raw }),
});
const { entries } = await get('/trail');
const covered = verifyTrail(entries as TrailEntry[], signer);
console.log(`verified: ${signer.moduleId} of the image, ${covered} entries of its trail`);
process.stdout.write(signer.publicKey.export({ format: 'pem', type: 'spki' }));
