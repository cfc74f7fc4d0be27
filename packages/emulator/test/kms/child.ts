// An emulated KMS in a process of its own, to be killed. What it shall be comes as JSON in the first argument.
import { startEmulatedKms } from '../../src/kms/index.ts';

const { store, credentials, root } = JSON.parse(process.argv[2] ?? '{}');
const kms = await startEmulatedKms({
  attestation: { roots: [Buffer.from(root, 'base64')] },
  store,
  credentials: [credentials],
});
console.log(JSON.stringify({ endpoint: kms.endpoint, ca: kms.ca }));
