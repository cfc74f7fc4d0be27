import { Agent } from 'node:https';
import type { KMSClientConfig } from '@aws-sdk/client-kms';
import { KMSClient } from '@aws-sdk/client-kms';
import type { EmulatedCredentials, EmulatedKms } from '@nitro-enclaves/emulator';

/** The unmodified AWS SDK against an emulated KMS. It does not retry, so that tests see every answer. */
export function clientOf(
  { endpoint, region, credentials, ca }: Pick<EmulatedKms, 'endpoint' | 'region' | 'credentials' | 'ca'>,
  config: KMSClientConfig = {},
): KMSClient {
  return new KMSClient({
    endpoint,
    region,
    credentials,
    maxAttempts: 1,
    requestHandler: { httpsAgent: new Agent({ ca, keepAlive: true }) },
    ...config,
  });
}

/** The same as somebody else. */
export function clientAs(kms: EmulatedKms, credentials: EmulatedCredentials): KMSClient {
  kms.addCredentials(credentials);
  return clientOf(kms, { credentials });
}

/** What an answer of KMS fails with, as the SDK tells it: name, HTTP status and message. */
export async function failureOf(call: Promise<unknown>): Promise<{ name: string; status: number; message: string }> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const metadata = '$metadata' in error ? error.$metadata : undefined;
    const status =
      typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
        ? Number(metadata.httpStatusCode)
        : 0;
    return { name: error.name, status, message: error.message };
  }
  throw new Error('expected the call to fail');
}
