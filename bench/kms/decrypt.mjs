// What the plugin adds to a Decrypt: the same client and server with it and without it, each process on a processor of its
// own. Making a document is the NSM's work, on hardware the hypervisor's, and is not measured: `attest` gives documents that
// were made before. The claims are about a document that KMS has seen; what a new one for each call costs, the emulated KMS's
// verification of its signature, stands beside them, and so does the floor: the plain call with a document in it, and RSA.
import { fork } from 'node:child_process';
import { randomBytes, webcrypto } from 'node:crypto';
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

const pcrs = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(index + 1)]));
const documentOf = (publicKey) => {
  const moduleId = 'i-1234567890abcdef0-enc0123456789abcdef';
  return issueAttestationDocument(pki, { moduleId, pcrs, publicKey, nonce: randomBytes(32) });
};

/** An NSM that has made `count` documents for a key when it is asked for the first, and hands them out in turn. */
function preparedNsm(count) {
  let made = { publicKey: undefined, documents: undefined };
  let given = 0;
  return async ({ publicKey }) => {
    if (made.publicKey !== publicKey) {
      const documents = Promise.all(Array.from({ length: count }, () => documentOf(publicKey)));
      made = { publicKey, documents };
    }
    const documents = await made.documents;
    given += 1;
    return documents[given % count];
  };
}

const attestedClient = (attest) => {
  const attested = client();
  attested.middlewareStack.use(recipient({ attest, attestTimeout: 120_000 }));
  return attested;
};
const plain = client();
const attested = attestedClient(preparedNsm(1));
/** More documents than the emulated KMS remembers: to it, each is new. */
const attestedAnew = attestedClient(preparedNsm(1024));
const { CiphertextBlob, KeyId } = await plain.encrypt({ KeyId: 'alias/bench', Plaintext: randomBytes(32) });

const algorithm = { name: 'RSA-OAEP', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };
const rsa = await webcrypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt']);
const encryptedKey = await webcrypto.subtle.encrypt(algorithm, rsa.publicKey, randomBytes(32));
const AttestationDocument = await documentOf(new Uint8Array(await webcrypto.subtle.exportKey('spki', rsa.publicKey)));
const Recipient = { AttestationDocument, KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' };
async function plainCallAndRsa() {
  await plain.decrypt({ KeyId, CiphertextBlob, Recipient });
  await webcrypto.subtle.decrypt(algorithm, rsa.privateKey, encryptedKey);
}

const cases = {
  'without the plugin': () => plain.decrypt({ KeyId, CiphertextBlob }),
  'floor: a document in the call, and raw RSA': plainCallAndRsa,
  'with the plugin': () => attested.decrypt({ KeyId, CiphertextBlob }),
  'with the plugin, a new document each call': () => attestedAnew.decrypt({ KeyId, CiphertextBlob }),
};

const milliseconds = ({ user, system }) => (user + system) / 1000;

/** Processor time that the server has used, in ms. */
async function serverTime() {
  server.send('time');
  const [usage] = await once(server, 'message');
  return milliseconds(usage);
}

const CALLS = 400;

/** A call with 16 in flight: calls in a second, and the processor time of each side for one, in ms. */
async function load(call) {
  let left = CALLS;
  const work = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  const serverBefore = await serverTime();
  const clientBefore = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: 16 }, work));
  const rate = CALLS / ((performance.now() - startedAt) / 1000);
  const clientTime = milliseconds(process.cpuUsage(clientBefore)) / CALLS;
  return { rate, clientTime, serverTime: ((await serverTime()) - serverBefore) / CALLS };
}

console.log(describeMachine());
for (const call of Object.values(cases)) await load(call);

const medians = await sideBySide(cases, { rounds: 300 });
printMedians(medians, (name) => (name === 'without the plugin' ? undefined : 'without the plugin'));
const added = medians.get('with the plugin') - medians.get('without the plugin');
printClaim('ms that the plugin adds to a Decrypt at the median', { ratio: added, atMost: 3 });

const rounds = [];
for (let round = 0; round < 11; round += 1) {
  const loads = {};
  for (const [name, call] of Object.entries(cases)) loads[name] = await load(call);
  rounds.push(loads);
}

const of = (name, figure) => median(rounds.map((loads) => loads[name][figure]));
/** Against the plain calls of the same round: what else the machine does comes and goes. */
const shareOf = (name) => median(rounds.map((loads) => loads[name].rate / loads['without the plugin'].rate));
console.log('16 in flight                                 calls/s   of plain   client CPU   server CPU (ms a call)');
for (const name of Object.keys(cases)) {
  const times = ['clientTime', 'serverTime'].map((side) => of(name, side).toFixed(2).padStart(10));
  const rate = of(name, 'rate').toFixed(0).padStart(7);
  console.log(`${name.padEnd(44)} ${rate} ${shareOf(name).toFixed(2).padStart(10)} ${times.join('   ')}`);
}
printClaim('throughput without over with the plugin, 16 in flight', {
  ratio: 1 / shareOf('with the plugin'),
  atMost: 1 / 0.7,
});

server.disconnect();
for (const one of [plain, attested, attestedAnew]) one.destroy();
