// The emulated KMS, in a process of its own: its work must not count as the client's. Tells its parent process where it is,
// and, at each message, how much processor time it has used.
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';

const { seed, region } = JSON.parse(process.argv[2]);
const pki = await createNitroPki({ seed, region });
const kms = await startEmulatedKms({
  region,
  attestation: { roots: [pki.rootCertificate] },
  keys: [{ alias: 'alias/bench' }],
});
const { host, port, ca, credentials } = kms;
process.send({ host, port, ca, credentials });
process.on('message', () => process.send(process.cpuUsage()));
process.once('disconnect', () => process.exit());
