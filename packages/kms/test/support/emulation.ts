import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMS, type KMSClientConfig } from '@aws-sdk/client-kms';
import type { EmulatedKms, EmulatedNsmOptions, Faults, KmsFault } from '@nitro-enclaves/emulator';
import {
  createNitroPki,
  EmulatedNsm,
  FaultController,
  faultyTransport,
  issueAttestationDocument,
  Seed,
  startEmulatedKms,
} from '@nitro-enclaves/emulator';
import { Nsm } from '@nitro-enclaves/nsm';
import type { Transport, VsockServer } from '@nitro-enclaves/vsock';
import { unixTransport } from '@nitro-enclaves/vsock';
import type { CredentialService } from '../../../emulator/src/parent/credential-service.ts';
import { startCredentialService } from '../../../emulator/src/parent/credential-service.ts';
import { SessionIssuer } from '../../../emulator/src/parent/session-credentials.ts';
import type { Attest, RecipientOptions } from '../../src/index.ts';
import { KMS_PROXY_PORT, kmsRequestHandler, recipient } from '../../src/index.ts';

export const REGION = 'eu-west-1';
export const KEY_ID = '11111111-2222-4333-8444-555555555555';
export const OTHER_KEY_ID = '99999999-2222-4333-8444-555555555555';
export const AGREEMENT_KEY_ID = '22222222-3333-4444-8555-666666666666';
export const KEY_ARN = `arn:aws:kms:${REGION}:111122223333:key/${KEY_ID}`;
export const OTHER_KEY_ARN = `arn:aws:kms:${REGION}:111122223333:key/${OTHER_KEY_ID}`;
export const AGREEMENT_KEY_ARN = `arn:aws:kms:${REGION}:111122223333:key/${AGREEMENT_KEY_ID}`;
export const ALIAS = 'alias/payments';

export const IMAGE = { PCR0: 'a0'.repeat(48), PCR1: 'a1'.repeat(48), PCR2: 'a2'.repeat(48) } as const;
const INSTANCE = { instanceId: 'i-0123456789abcdef0', roleArn: 'arn:aws:iam::111122223333:role/parent' } as const;
const OTHER_IMAGE = { ...IMAGE, PCR0: 'b0'.repeat(48) } as const;

/** What production key policies say: cryptography for one image only, administration for the account. */
export function keyPolicyFor(pcr0: string): object {
  const principal = { AWS: 'arn:aws:iam::111122223333:root' };
  const attested = ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair', 'kms:DeriveSharedSecret'];
  const Condition = { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:ImageSha384': pcr0 } };
  return {
    Version: '2012-10-17',
    Statement: [
      { Sid: 'Administration', Effect: 'Allow', Principal: principal, NotAction: attested, Resource: '*' },
      { Sid: 'Enclave', Effect: 'Allow', Principal: principal, Action: attested, Resource: '*', Condition },
    ],
  };
}

/** Options of one emulated enclave. */
export interface EnclaveOptions {
  readonly debugMode?: boolean;
  /** Whether it runs another image than the one that the key policy names. */
  readonly isOtherImage?: boolean;
  readonly nsm?: Partial<EmulatedNsmOptions>;
}

/** An emulated parent, KMS and PKI; enclaves as many as a test likes. */
export class Emulation {
  readonly folder: string;
  readonly kms: EmulatedKms;
  readonly audit: Record<string, unknown>[];
  readonly faults: FaultController;
  readonly #pki: Awaited<ReturnType<typeof createNitroPki>>;
  readonly #proxy: VsockServer;
  readonly #credentials: CredentialService;

  private constructor(parts: {
    folder: string;
    kms: EmulatedKms;
    audit: Record<string, unknown>[];
    faults: FaultController;
    pki: Awaited<ReturnType<typeof createNitroPki>>;
    proxy: VsockServer;
    credentials: CredentialService;
  }) {
    this.folder = parts.folder;
    this.kms = parts.kms;
    this.audit = parts.audit;
    this.faults = parts.faults;
    this.#pki = parts.pki;
    this.#proxy = parts.proxy;
    this.#credentials = parts.credentials;
  }

  static async start({ faults = {} }: { faults?: Faults } = {}): Promise<Emulation> {
    const folder = await mkdtemp(join(tmpdir(), 'kms-'));
    const pki = await createNitroPki({ region: REGION, seed: 'kms tests' });
    const controller = new FaultController(Seed.from('kms faults'), faults);
    const audit: Record<string, unknown>[] = [];
    const kms = await startEmulatedKms({
      region: REGION,
      attestation: { roots: [pki.rootCertificate] },
      faults: controller.kms,
      audit: (line) => audit.push(JSON.parse(line)),
      keys: [
        { keyId: KEY_ID, alias: ALIAS, policy: JSON.stringify(keyPolicyFor(IMAGE.PCR0)) },
        { keyId: OTHER_KEY_ID, policy: JSON.stringify(keyPolicyFor(IMAGE.PCR0)) },
        {
          keyId: AGREEMENT_KEY_ID,
          keySpec: 'ECC_NIST_P256',
          keyUsage: 'KEY_AGREEMENT',
          policy: JSON.stringify(keyPolicyFor(IMAGE.PCR0)),
        },
      ],
    });
    const transport = unixTransport({ folder, cid: 3 });
    const parent = faultyTransport({ transport, faults: controller.transport, scratch: folder });
    const proxy = parent.createServer({ allowHalfOpen: true }, (socket) => {
      const upstream = connect({ host: kms.host, port: kms.port, allowHalfOpen: true });
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
      upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.pipe(upstream).pipe(socket);
    });
    await proxy.listen({ port: KMS_PROXY_PORT });
    const issuer = new SessionIssuer({ kms, seed: Seed.from('sessions'), ...INSTANCE, clock: Date.now });
    const credentials = await startCredentialService({
      transport: parent,
      issuer,
      faults: controller,
      clock: Date.now,
    });
    return new Emulation({ folder, kms, audit, faults: controller, pki, proxy, credentials });
  }

  enclaveTransport(cid = 16): Transport {
    return unixTransport({ folder: this.folder, cid });
  }

  /** The NSM of an enclave. */
  nsm({ debugMode = false, isOtherImage = false, nsm = {} }: EnclaveOptions = {}): Nsm {
    const { instanceId } = INSTANCE;
    const measurements = isOtherImage ? OTHER_IMAGE : IMAGE;
    const identity = { instanceId, moduleId: `${instanceId}-enc0123456789abcdef`, measurements, debugMode };
    return new Nsm(new EmulatedNsm({ pki: this.#pki, identity, faults: this.faults.nsm, ...nsm }));
  }

  /** What gives an instance with NitroTPM its documents, as `nitro-tpm-attest` does. */
  nitroTpm(pcrs: Record<number, string>): Attest {
    const moduleId = 'i-0123456789abcdef0-tpm0000000000000000';
    return ({ publicKey }) => issueAttestationDocument(this.#pki, { kind: 'nitrotpm', moduleId, pcrs, publicKey });
  }

  /** The unmodified client of the AWS SDK, in an enclave that reaches KMS by the parent's proxy, without the plugin. */
  plainClient(config: KMSClientConfig & { transport?: Transport } = {}): KMS {
    const { transport = this.enclaveTransport(), ...rest } = config;
    return new KMS({
      region: REGION,
      credentials: this.kms.credentials,
      maxAttempts: 1,
      requestHandler: kmsRequestHandler({ transport, ca: this.kms.ca, requestTimeout: 5000 }),
      ...rest,
    });
  }

  /** The same with the plugin. */
  client(options: Partial<RecipientOptions> & EnclaveOptions & { config?: KMSClientConfig } = {}): KMS {
    const { config = {}, debugMode, isOtherImage, nsm: nsmOptions, ...rest } = options;
    const nsm = this.nsm({ debugMode: debugMode ?? false, isOtherImage: isOtherImage ?? false, nsm: nsmOptions ?? {} });
    const client = this.plainClient(config);
    client.middlewareStack.use(recipient({ attest: (request) => nsm.attestation(request), ...rest }));
    return client;
  }

  /** Replaces what goes wrong in KMS. */
  kmsFaults(...faults: KmsFault[]): void {
    this.faults.kms.set(faults);
  }

  /** Ciphertext of `plaintext` under a key, made by somebody outside of any enclave. */
  async ciphertextOf(
    plaintext: Uint8Array,
    keyId = KEY_ARN,
    EncryptionContext?: Record<string, string>,
  ): Promise<Uint8Array> {
    const client = this.plainClient();
    const { CiphertextBlob = new Uint8Array() } = await client.encrypt({
      KeyId: keyId,
      Plaintext: plaintext,
      EncryptionContext,
    });
    client.destroy();
    return CiphertextBlob;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy.drain({ timeout: 0 });
    await this.#credentials.close();
    await this.kms.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
