import assert from 'node:assert/strict';
import { createECDH, createPrivateKey, createPublicKey } from 'node:crypto';
import { KMS } from '@aws-sdk/client-kms';
import { kmsRequestHandler, recipient } from '@nitro-enclaves/kms';
import type { Nsm } from '@nitro-enclaves/nsm';
import { openNsm } from '@nitro-enclaves/nsm';
import type { GuestContext, GuestTest } from './guest-test.ts';

const P256_POINT_SIZE = 65;

/** A client as an application in an enclave has it: attested by the kernel's NSM, TLS from here to KMS, over AF_VSOCK. */
function attestedClient({ transport, parent }: GuestContext, nsm: Nsm): KMS {
  const { kms } = parent().settings;
  assert.ok(kms !== undefined, 'expected settings of the emulated KMS');
  const { ca, region, credentials } = kms;
  // Longer than the defaults: emulated processors shake hands slowly.
  const requestHandler = kmsRequestHandler({ transport, ca, connectTimeout: 60_000, requestTimeout: 60_000 });
  const client = new KMS({ region, credentials, requestHandler });
  client.middlewareStack.use(recipient({ attest: (request) => nsm.attestation(request), attestTimeout: 60_000 }));
  return client;
}

/** A test of KMS that has a client for its length. */
function kmsTest(name: string, body: (client: KMS) => Promise<string | undefined>): GuestTest {
  return {
    name: `kms: ${name}`,
    needs: 'emulated-kms',
    timeout: 120_000,
    async run(context) {
      await using nsm = await openNsm();
      const client = attestedClient(context, nsm);
      try {
        return await body(client);
      } finally {
        client.destroy();
      }
    },
  };
}

function expectBytes(bytes: Uint8Array | undefined, length?: number): Uint8Array {
  assert.ok(bytes !== undefined, 'expected bytes in the answer');
  if (length !== undefined) assert.equal(bytes.length, length);
  return bytes;
}

export const kmsTests: readonly GuestTest[] = [
  kmsTest('a data key comes sealed to this enclave, and opens again by Decrypt', async (client) => {
    const generated = await client.generateDataKey({ KeyId: 'alias/ours', KeySpec: 'AES_256' });
    const plaintext = expectBytes(generated.Plaintext, 32);
    const CiphertextBlob = expectBytes(generated.CiphertextBlob);
    const decrypted = await client.decrypt({ KeyId: 'alias/ours', CiphertextBlob });
    assert.deepEqual(expectBytes(decrypted.Plaintext), plaintext);
    return `${CiphertextBlob.length} bytes of ciphertext`;
  }),

  kmsTest('random bytes of KMS come sealed', async (client) => {
    const { Plaintext } = await client.generateRandom({ NumberOfBytes: 64 });
    expectBytes(Plaintext, 64);
    return undefined;
  }),

  kmsTest('a data key pair comes with its private half sealed', async (client) => {
    const pair = await client.generateDataKeyPair({ KeyId: 'alias/ours', KeyPairSpec: 'ECC_NIST_P256' });
    const pkcs8 = Buffer.from(expectBytes(pair.PrivateKeyPlaintext));
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    assert.deepEqual(Buffer.from(expectBytes(pair.PublicKey)), spki);
    return undefined;
  }),

  kmsTest('a shared secret comes sealed, and is the one that the peer computes', async (client) => {
    const spki = Buffer.from(expectBytes((await client.getPublicKey({ KeyId: 'alias/agreement' })).PublicKey));
    const head = spki.subarray(0, spki.length - P256_POINT_SIZE);
    const peer = createECDH('prime256v1');
    const PublicKey = Buffer.concat([head, peer.generateKeys()]);
    const agreement = { KeyId: 'alias/agreement', KeyAgreementAlgorithm: 'ECDH', PublicKey } as const;
    const { SharedSecret } = await client.deriveSharedSecret(agreement);
    assert.deepEqual(Buffer.from(expectBytes(SharedSecret)), peer.computeSecret(spki.subarray(head.length)));
    return undefined;
  }),

  kmsTest('a key of another image is denied', async (client) => {
    const denied = client.generateDataKey({ KeyId: 'alias/others', KeySpec: 'AES_256' });
    await assert.rejects(denied, { name: 'AccessDeniedException' });
    return undefined;
  }),
];
