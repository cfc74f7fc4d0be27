// What the plugin adds to a Decrypt: the same client and server with it and without it. The NSM's own time is not the plugin's
// (on hardware it is the hypervisor's), so the document for a public key is made once and used again.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { KMS } from '@aws-sdk/client-kms';
import { createNitroPki, issueAttestationDocument } from '@nitro-enclaves/emulator';
import { kmsRequestHandler, recipient } from '@nitro-enclaves/kms';
import { describeMachine, median, printClaim, printMedians, sideBySide } from '../side-by-side.mjs';

const region = 'eu-west-1';
const seed = 'bench kms';
const server = fork(new URL('server-process.mjs', import.meta.url), [JSON.stringify({ seed, region })]);
const [kms] = await once(server, 'message');
const pki = await createNitroPki({ seed, region });

const transport = {
  connect: async () => {
    const socket = connect({ host: kms.host, port: kms.port, noDelay: true });
    await once(socket, 'connect');
    return socket;
  },
};
const client = () =>
  new KMS({ region, credentials: kms.credentials, requestHandler: kmsRequestHandler({ transport, ca: kms.ca }) });

let made = { publicKey: undefined, document: undefined };
async function attest({ publicKey }) {
  if (made.publicKey !== publicKey) {
    const pcrs = Object.fromEntries(
      Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(index + 1)]),
    );
    const moduleId = 'i-1234567890abcdef0-enc0123456789abcdef';
    made = { publicKey, document: await issueAttestationDocument(pki, { moduleId, pcrs, publicKey }) };
  }
  return made.document;
}

const [plain, attested] = [client(), client()];
attested.middlewareStack.use(recipient({ attest, maxUses: 1_000_000 }));
const { CiphertextBlob, KeyId } = await plain.encrypt({ KeyId: 'alias/bench', Plaintext: Buffer.alloc(32, 1) });
const decrypt = (kmsClient) => kmsClient.decrypt({ KeyId, CiphertextBlob });

/** Calls in a second with `inFlight` at a time. */
async function throughput(kmsClient, calls, inFlight) {
  let left = calls;
  const startedAt = performance.now();
  const work = async () => {
    while (left > 0) {
      left -= 1;
      await decrypt(kmsClient);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return calls / ((performance.now() - startedAt) / 1000);
}

console.log(describeMachine());
const cases = { 'without the plugin': () => decrypt(plain), 'with the plugin': () => decrypt(attested) };
const medians = await sideBySide(cases, { rounds: 300 });
printMedians(medians, (name) => (name === 'with the plugin' ? 'without the plugin' : undefined));
const added = medians.get('with the plugin') - medians.get('without the plugin');
printClaim('ms that the plugin adds to a Decrypt at the median', { ratio: added, atMost: 3 });

const rates = { plain: [], attested: [] };
for (let round = 0; round < 7; round += 1) {
  rates.plain.push(await throughput(plain, 400, 16));
  rates.attested.push(await throughput(attested, 400, 16));
}
const [plainRate, attestedRate] = [median(rates.plain), median(rates.attested)];
console.log(`16 in flight: ${plainRate.toFixed(0)} calls/s without, ${attestedRate.toFixed(0)} with the plugin`);
printClaim('throughput without over with the plugin, 16 in flight', {
  ratio: plainRate / attestedRate,
  atMost: 1 / 0.7,
});

server.disconnect();
plain.destroy();
attested.destroy();
