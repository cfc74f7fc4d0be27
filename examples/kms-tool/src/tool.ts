import { KMS } from '@aws-sdk/client-kms';
import type { Enclave } from '@nitro-enclaves/emulator/enclave';
import { allowAnyKey, kmsRequestHandler, parentCredentials, recipient } from '@nitro-enclaves/kms';
import type { Operation, ToolRequest } from './request.ts';

/** What KMS gave: plaintext as bytes of its own, to be zeroed once it is printed. */
interface Answer {
  readonly ciphertext?: Uint8Array | undefined;
  readonly plaintext: Uint8Array;
}

/** A client whose answers open only in this enclave. */
function clientFor({ nsm, transport, kms: place }: Enclave, request: ToolRequest): KMS {
  const { region, proxyPort, credentialsPort, credentials, credentialsToken, keys } = request;
  const fromParent = () =>
    parentCredentials({ transport, port: credentialsPort, ...(credentialsToken && { token: credentialsToken }) });
  const client = new KMS({
    region,
    credentials: credentials ?? fromParent(),
    requestHandler: kmsRequestHandler({ transport, port: proxyPort, ...place }),
  });
  client.middlewareStack.use(
    recipient({
      attest: (call) => nsm.attestation(call),
      correctClockOf: client,
      ...(keys !== undefined && { keys }),
      ...(request.allowAnyKey && { [allowAnyKey]: true as const }),
    }),
  );
  return client;
}

function expectPlaintext(plaintext: Uint8Array | undefined): Uint8Array {
  if (plaintext === undefined) throw new TypeError('expected a plaintext in the answer of KMS, found none');
  return plaintext;
}

async function ask(client: KMS, operation: Operation): Promise<Answer> {
  switch (operation.command) {
    case 'decrypt': {
      const { ciphertext, keyId, algorithm, context } = operation;
      const { Plaintext } = await client.decrypt({
        CiphertextBlob: ciphertext,
        KeyId: keyId,
        EncryptionAlgorithm: algorithm,
        EncryptionContext: context,
      });
      return { plaintext: expectPlaintext(Plaintext) };
    }
    case 'genkey': {
      const { keyId, keySpec, context } = operation;
      const { CiphertextBlob, Plaintext } = await client.generateDataKey({
        KeyId: keyId,
        KeySpec: keySpec,
        EncryptionContext: context,
      });
      return { ciphertext: CiphertextBlob, plaintext: expectPlaintext(Plaintext) };
    }
    case 'genrandom': {
      const { Plaintext } = await client.generateRandom({ NumberOfBytes: operation.length });
      return { plaintext: expectPlaintext(Plaintext) };
    }
  }
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/** Asks KMS, and gives the lines that kmstool_enclave_cli prints. */
export async function perform(enclave: Enclave, request: ToolRequest): Promise<string> {
  const client = clientFor(enclave, request);
  try {
    const { ciphertext, plaintext } = await ask(client, request.operation);
    const lines = `${ciphertext === undefined ? '' : `CIPHERTEXT: ${base64(ciphertext)}\n`}PLAINTEXT: ${base64(plaintext)}\n`;
    plaintext.fill(0);
    return lines;
  } finally {
    client.destroy();
  }
}

/** One line for people: the code, ours or KMS's, and its sentence. */
export function describeRefusal(error: unknown): string {
  if (!(error instanceof Error)) return 'kms-tool: refused';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return `kms-tool: ${code}: ${error.message}`;
}
