// Everything on one machine: an emulator with its KMS, the enclave, the parent's route and bundle, and the owner, who renews the
// certificate every 30 seconds. Ends with Ctrl-C.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { KMS } from '@aws-sdk/client-kms';
import { startEmulator } from '@nitro-enclaves/emulator';
import { ProxyService } from '@nitro-enclaves/parent';
import { encodeBundle } from './bundle.ts';
import { serveBundle } from './bundle-channel.ts';
import { keyPolicyFor } from './key-policy.ts';
import { LocalAuthority } from './local-authority.ts';
import { createSealedKey } from './sealed-key.ts';
import { TLS_PORT } from './tls-service.ts';

const HOST = 'enclave.example';
const KEY_ID = '11111111-2222-4333-8444-555555555555';
const RENEWAL_MS = 30_000;
const UP_TIMEOUT_MS = 60_000;

const port = Number(process.argv[2] ?? 8443);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
const folder = await mkdtemp(join(tmpdir(), 'tls-server-'));

/** The enclave has to come up, and KMS to open the key to it. */
async function untilItServes(ca: string): Promise<void> {
  for (const deadline = Date.now() + UP_TIMEOUT_MS; ; await delay(200, undefined, { signal: stop.signal })) {
    const socket = connect({ host: '127.0.0.1', port, servername: HOST, ca });
    try {
      await once(socket, 'secureConnect');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error('the TLS server did not come up', { cause: error });
    } finally {
      socket.destroy();
    }
  }
}

async function run(): Promise<void> {
  await using emulator = await startEmulator({ kms: { keys: [{ keyId: KEY_ID }] }, onWarning: console.error });
  const { kms, transport } = emulator;
  if (kms === undefined) throw new Error('expected the emulator to have a KMS');
  const { endpoint, region, accountId, credentials, ca } = kms;
  const keyArn = `arn:aws:kms:${region}:${accountId}:key/${KEY_ID}`;
  const owner = new KMS({ endpoint, region, credentials, requestHandler: { httpsAgent: new Agent({ ca }) } });

  const enclave = await emulator.runEnclave({
    command: [process.execPath, fileURLToPath(new URL('main.js', import.meta.url))],
    files: [fileURLToPath(new URL('.', import.meta.url))],
    environment: {
      AWS_REGION: region,
      SEALING_KEY_ARN: keyArn,
      SERVER_NAME: HOST,
      CREDENTIALS_TOKEN: 'what the parent has granted',
      RENEWAL_SECONDS: '2',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
    enclaveName: 'tls-server',
  });
  const policy = keyPolicyFor(enclave.describe().Measurements, accountId);
  await owner.putKeyPolicy({ KeyId: keyArn, PolicyName: 'default', Policy: policy });

  const authority = await LocalAuthority.create();
  const renew = async () => {
    const { sealedKey, publicKey } = await createSealedKey(owner, { keyArn, host: HOST });
    const certificates = [await authority.issue({ host: HOST, publicKey })];
    return encodeBundle({ certificates, sealedKey });
  };
  let bundle = await renew();
  await using _bundles = await serveBundle(transport, () => Promise.resolve(bundle));

  const route = {
    direction: 'ingress',
    name: 'https',
    from: { kind: 'tcp', host: '127.0.0.1', port },
    cid: enclave.cid,
    port: TLS_PORT,
    proxyProtocol: undefined,
  } as const;
  await using proxy = new ProxyService({ transport, config: { routes: [route], allowList: [] } });
  await proxy.start();
  await untilItServes(authority.certificate);

  const authorityFile = join(folder, 'authority.pem');
  await writeFile(authorityFile, authority.certificate);
  console.log(`curl --cacert ${authorityFile} --resolve ${HOST}:${port}:127.0.0.1 https://${HOST}:${port}/`);
  while (await delay(RENEWAL_MS, true, { signal: stop.signal }).catch(() => false)) {
    bundle = await renew();
    console.log('the owner has another key and certificate: the enclave takes them within 2 seconds');
  }
  owner.destroy();
}

try {
  await run();
} catch (error) {
  // Ctrl-C while it starts is no failure.
  if (!stop.signal.aborted) throw error;
} finally {
  await rm(folder, { recursive: true, force: true });
}
