import { once } from 'node:events';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { Readable } from 'node:stream';
import { connect } from 'node:tls';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  ListKeysCommand,
} from '@aws-sdk/client-kms';
import type { EmulatedKms, EmulatedKmsOptions, NitroPki } from '@nitro-enclaves/emulator';
import { createNitroPki, KeyPolicyError, startEmulatedKms } from '@nitro-enclaves/emulator';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureInitialKeys } from '../../src/kms/initial-keys.ts';
import { KeyRing } from '../../src/kms/key-ring.ts';
import { MEMORY_STORE } from '../../src/kms/store/store.ts';
import { SessionIssuer } from '../../src/parent/session-credentials.ts';
import { Seed } from '../../src/seed.ts';
import { clientOf } from './sdk.ts';

let pki: NitroPki;

beforeAll(async () => {
  pki = await createNitroPki();
});

function start(options: Partial<EmulatedKmsOptions> = {}): Promise<EmulatedKms> {
  return startEmulatedKms({ attestation: { roots: [pki.rootCertificate] }, ...options });
}

/** Shakes hands by TLS; the certificate must be good for `servername`. */
async function handshake(
  { host, port, ca }: EmulatedKms,
  servername: string,
  authority: string | undefined = ca,
): Promise<void> {
  const socket = connect({ host, port, servername, ...(authority && { ca: authority }) });
  try {
    await once(socket, 'secureConnect');
  } finally {
    socket.destroy();
  }
}

describe('an emulated KMS', () => {
  it('listens on this machine only, on a port of its own', async () => {
    await using first = await start();
    await using second = await start();
    expect([first.host, second.host]).toEqual(['127.0.0.1', '127.0.0.1']);
    expect(first.port).not.toBe(second.port);
    expect(first.endpoint).toBe(`https://localhost:${first.port}`);
  });

  it('ends the connection of a body that is too large, however much of it follows', async () => {
    await using kms = await start();
    const { host, port, ca } = kms;
    const call = request({ host, port, ca, servername: 'localhost', method: 'POST', agent: false });
    const closed = new Promise((resolve) => call.once('close', resolve));
    call.on('error', () => {
      // The rest of the body finds nobody.
    });
    const endless = new Readable({ read: () => endless.push(new Uint8Array(65_536)) });
    endless.pipe(call);
    const [response] = await once(call, 'response');
    expect(response.statusCode).toBe(413);
    response.resume();
    await closed;
    endless.destroy();
    await clientOf(kms).send(new ListKeysCommand());
  });

  it.each(['localhost', 'kms.us-east-1.amazonaws.com', 'kms-fips.us-east-1.amazonaws.com', 'kms.internal'])(
    'has a certificate for %s',
    async (name) => {
      await using kms = await start({ hostNames: ['kms.internal'] });
      await handshake(kms, name);
    },
  );

  it('has none for other names, and none that anybody trusts by default', async () => {
    await using kms = await start();
    await expect(handshake(kms, 'kms.eu-west-1.amazonaws.com')).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    await using other = await start();
    await expect(handshake(kms, 'localhost', other.ca)).rejects.toMatchObject({
      code: expect.stringMatching(/CERT|SIGNATURE|ISSUER/),
    });
  });

  it('is in the region and account that it is told', async () => {
    await using kms = await start({ region: 'eu-central-1', accountId: '444455556666' });
    const client = clientOf(kms);
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    expect(KeyMetadata?.Arn).toMatch(/^arn:aws:kms:eu-central-1:444455556666:key\//);
    await handshake(kms, 'kms.eu-central-1.amazonaws.com');
    client.destroy();
  });

  it.each([
    ['cn-north-1', 'aws-cn', 'amazonaws.com.cn'],
    ['us-gov-west-1', 'aws-us-gov', 'amazonaws.com'],
    ['us-iso-east-1', 'aws-iso', 'c2s.ic.gov'],
    ['us-isob-east-1', 'aws-iso-b', 'sc2s.sgov.gov'],
    ['eu-isoe-west-1', 'aws-iso-e', 'cloud.adc-e.uk'],
    ['us-isof-south-1', 'aws-iso-f', 'csp.hci.ic.gov'],
    ['eusc-de-east-1', 'aws-eusc', 'amazonaws.eu'],
  ])('speaks of the partition of its region: %s', async (region, partition, suffix) => {
    await using kms = await start({ region });
    const client = clientOf(kms);
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    expect(KeyMetadata?.Arn?.startsWith(`arn:${partition}:kms:${region}:`)).toBe(true);
    await handshake(kms, `kms.${region}.${suffix}`);
    client.destroy();
  });

  it('lets the parent of its partition use its keys, whose default policy names the account there', async () => {
    await using kms = await start({ region: 'cn-north-1', keys: [{ alias: 'alias/orders' }] });
    const seed = Seed.from('sessions');
    const parent = { kms, seed, instanceId: 'i-1234567890abcdef0', roleArn: undefined, clock: Date.now };
    const client = clientOf({ ...kms, credentials: new SessionIssuer(parent).current() });
    const command = new EncryptCommand({ KeyId: 'alias/orders', Plaintext: Buffer.from('hello') });
    expect((await client.send(command)).KeyId).toMatch(/^arn:aws-cn:kms:/);
    client.destroy();
  });

  it('has the keys that it is given, the same material each time', async () => {
    const keys = [
      { keyId: '11111111-2222-3333-4444-555555555555', alias: 'alias/given', material: Buffer.alloc(32, 7) },
    ];
    await using first = await start({ keys });
    await using second = await start({ keys });
    const [writer, reader] = [clientOf(first), clientOf(second)];
    const { CiphertextBlob } = await writer.send(
      new EncryptCommand({ KeyId: 'alias/given', Plaintext: Buffer.from('x') }),
    );
    const { Plaintext } = await reader.send(new DecryptCommand({ CiphertextBlob }));
    expect(Buffer.from(Plaintext ?? []).toString()).toBe('x');
    for (const client of [writer, reader]) client.destroy();
  });

  it('answers many requests at once', async () => {
    await using kms = await start({ keys: [{ alias: 'alias/busy' }] });
    const client = clientOf(kms);
    const texts = Array.from({ length: 64 }, (_, index) => `text ${index}`);
    const opened = texts.map(async (text) => {
      const { CiphertextBlob } = await client.send(
        new EncryptCommand({ KeyId: 'alias/busy', Plaintext: Buffer.from(text) }),
      );
      return Buffer.from((await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext ?? []).toString();
    });
    expect(await Promise.all(opened)).toEqual(texts);
    client.destroy();
  });

  it('is gone once it is closed, however often and by whom', async () => {
    const stop = new AbortController();
    const kms = await start({ signal: stop.signal });
    const client = clientOf(kms);
    await client.send(new ListKeysCommand({}));
    stop.abort();
    await Promise.all([kms.close(), kms.close(), kms[Symbol.asyncDispose]()]);
    await expect(once(connectTcp(kms.port, kms.host), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(client.send(new DescribeKeyCommand({ KeyId: 'x' }))).rejects.toThrow();
    client.destroy();
  });

  it('does not wait for connections that never began to speak TLS', async () => {
    const kms = await start();
    const silent = connectTcp({ host: kms.host, port: kms.port });
    silent.on('error', () => undefined);
    await once(silent, 'connect');
    await Promise.all([once(silent, 'close'), kms.close()]);
  });

  it('names the address that it listens on where that is not this machine alone', async () => {
    await using kms = await start({ host: '127.0.0.2' });
    expect(kms.endpoint).toBe(`https://127.0.0.2:${kms.port}`);
    await using any = await start({ host: '0.0.0.0' });
    expect(any.endpoint).toBe(`https://localhost:${any.port}`);
    await handshake(kms, '');
  });

  it('does not start when it is told to stop', async () => {
    await expect(start({ signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped');
  });

  it('does not start on a port that is taken', async () => {
    await using kms = await start();
    await expect(start({ port: kms.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it.each<[string, Partial<EmulatedKmsOptions>, string]>([
    ['no roots', { attestation: { roots: [] } }, 'KMS_OPTION'],
    ['a region that is none', { region: 'here' }, 'KMS_OPTION'],
    ['an account that is none', { accountId: '1' }, 'KMS_OPTION'],
    ['an access key that is too short', { credentials: [{ accessKeyId: 'AKIA', secretAccessKey: 's' }] }, 'KMS_OPTION'],
    [
      'credentials without a secret',
      { credentials: [{ accessKeyId: 'AKIAAKIAAKIAAKIAAKIA', secretAccessKey: '' }] },
      'KMS_OPTION',
    ],
    [
      'a principal that is none',
      { credentials: [{ accessKeyId: 'AKIAAKIAAKIAAKIAAKIA', secretAccessKey: 's', principalArn: 'alice' }] },
      'KMS_PRINCIPAL',
    ],
    [
      'a group for a principal',
      {
        credentials: [
          {
            accessKeyId: 'AKIAAKIAAKIAAKIAAKIA',
            secretAccessKey: 's',
            principalArn: 'arn:aws:iam::111122223333:group/a',
          },
        ],
      },
      'KMS_PRINCIPAL',
    ],
    ['a key id that is none', { keys: [{ keyId: 'mine' }] }, 'KMS_OPTION'],
    ['an alias without its prefix', { keys: [{ alias: 'orders' }] }, 'KMS_OPTION'],
    ['material that is too short', { keys: [{ material: Buffer.alloc(31) }] }, 'KMS_OPTION'],
    ['material of another spec', { keys: [{ keySpec: 'RSA_2048', material: Buffer.alloc(32) }] }, 'KMS_OPTION'],
    [
      'a use that the spec has not',
      { keys: [{ keySpec: 'ECC_NIST_P256', keyUsage: 'ENCRYPT_DECRYPT' }] },
      'KMS_OPTION',
    ],
  ])('does not start with %s', async (_, options, code) => {
    await expect(start(options)).rejects.toMatchObject({ code });
  });

  it('does not start with a policy that is none', async () => {
    await expect(start({ keys: [{ policy: '{}' }] })).rejects.toBeInstanceOf(KeyPolicyError);
  });
});

describe('the keys of an emulated KMS', () => {
  it('lose their aliases with their lives, whoever looks first', async () => {
    let now = 0;
    const place = { region: 'us-east-1', accountId: '111122223333' };
    const keys = new KeyRing(place, MEMORY_STORE, () => now);
    await ensureInitialKeys(keys, [{ alias: 'alias/orders' }], now);
    const [key] = keys.keys;
    if (key === undefined) throw new TypeError('expected a key');
    keys.save({ ...key, deletionDate: 1000 });
    expect(keys.aliases).toHaveLength(1);
    now = 1000;
    expect(keys.alias('alias/orders')).toBeUndefined();
    expect(keys.aliases).toEqual([]);
  });
});
