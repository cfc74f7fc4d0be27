import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMS } from '@aws-sdk/client-kms';
import type { Enclave } from '@nitro-enclaves/emulator/enclave';
import { kmsRequestHandler, parentCredentials, recipient } from '@nitro-enclaves/kms';
import { serveApplication } from './application.ts';
import { fetchBundle } from './bundle-channel.ts';
import type { TlsServerConfig } from './config.ts';
import { Renewal } from './renewal.ts';
import { openSealedKey } from './sealed-key.ts';
import { TlsTerminator } from './terminator.ts';

/** vsock port of the enclave on which TLS is spoken. */
export const TLS_PORT = 8443;

/** Everything in the enclave: the application, TLS in front of it, and the renewal of its identity. Goes on until the signal. */
export async function runTlsService(enclave: Enclave, config: TlsServerConfig, signal: AbortSignal): Promise<void> {
  const { nsm, transport, kms: place } = enclave;
  const kms = new KMS({
    region: config.region,
    credentials: parentCredentials({ transport, token: config.credentialsToken }),
    requestHandler: kmsRequestHandler({ transport, ...place }),
  });
  kms.middlewareStack.use(recipient({ attest: (request) => nsm.attestation(request), correctClockOf: kms }));

  const application = join(await mkdtemp(join(tmpdir(), 'application-')), 'http.sock');
  await serveApplication(application);

  let terminator: TlsTerminator | undefined;
  const renewal = new Renewal({
    host: config.host,
    interval: config.interval,
    fetch: (attempt) => fetchBundle(transport, attempt),
    open: (sealed) => openSealedKey(kms, config, sealed),
    use: async (identity) => {
      if (terminator !== undefined) return terminator.use(identity);
      const first = new TlsTerminator(identity, application);
      await first.listen(transport, TLS_PORT);
      terminator = first;
    },
    log: (line) => console.log(line),
  });
  await renewal.run(signal);
}
