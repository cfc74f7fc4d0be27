import { constants, createDecipheriv, createPrivateKey, privateDecrypt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { EmulatedKms, NitroPki } from '@nitro-enclaves/emulator';
import { startEmulatedKms } from '@nitro-enclaves/emulator';
import { ContentInfo, EnvelopedData, KeyTransRecipientInfo } from 'pkijs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECORDED_AT, recordedOptions, recordedPki } from './recorded/place.ts';

/** A request as another SDK would have sent it. */
interface RecordedRequest {
  readonly producer: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

interface Recording {
  readonly plaintext: string;
  readonly document: string;
  readonly enclaveKey: string;
  readonly requests: readonly RecordedRequest[];
}

const RECORDING: Recording = JSON.parse(readFileSync(new URL('recorded/requests.json', import.meta.url), 'utf8'));

const REQUESTS = RECORDING.requests.map((one) => ({
  ...one,
  body: one.body.replaceAll('${document}', RECORDING.document),
}));

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

function targetOf({ headers }: RecordedRequest): string {
  return headers.find(([name]) => name === 'X-Amz-Target')?.[1].replace('TrentService.', '') ?? '';
}

/** Sends the very bytes of a recording. */
async function replay(kms: EmulatedKms, { headers, body }: RecordedRequest): Promise<Answer> {
  const call = request({
    host: kms.host,
    port: kms.port,
    ca: kms.ca,
    servername: 'kms.us-east-1.amazonaws.com',
    method: 'POST',
    path: '/',
    setHost: false,
    agent: false,
    headers: Object.fromEntries(headers),
  });
  call.end(body);
  const [response] = await once(call, 'response');
  const content = Buffer.concat(await response.toArray()).toString();
  return { status: response.statusCode, body: content === '' ? {} : JSON.parse(content) };
}

function openForRecordedEnclave(encoded: unknown): Uint8Array {
  const { content } = ContentInfo.fromBER(Uint8Array.from(Buffer.from(String(encoded), 'base64')));
  const { recipientInfos, encryptedContentInfo } = new EnvelopedData({ schema: content });
  const recipient = recipientInfos[0]?.value;
  if (!(recipient instanceof KeyTransRecipientInfo)) throw new Error('expected a recipient by key transport');
  const key = createPrivateKey({ key: Buffer.from(RECORDING.enclaveKey, 'base64'), format: 'der', type: 'pkcs8' });
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const contentKey = privateDecrypt(
    { key, padding, oaepHash: 'sha256' },
    new Uint8Array(recipient.encryptedKey.getValue()),
  );
  const iv = new Uint8Array(encryptedContentInfo.contentEncryptionAlgorithm.algorithmParams.getValue());
  const decipher = createDecipheriv('aes-256-cbc', contentKey, iv);
  return Buffer.concat([decipher.update(new Uint8Array(encryptedContentInfo.getEncryptedContent())), decipher.final()]);
}

let pki: NitroPki;
let kms: EmulatedKms;

beforeAll(async () => {
  pki = await recordedPki();
  kms = await startEmulatedKms(recordedOptions(pki));
});

afterAll(() => kms.close());

const KEY_ARN = 'arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555';

/** What the answers to some of them hold. */
const EXPECTED: Readonly<Record<string, (body: Record<string, unknown>) => void>> = {
  DescribeKey: ({ KeyMetadata }) =>
    expect(KeyMetadata).toMatchObject({ Arn: KEY_ARN, KeyState: 'Enabled', CreationDate: RECORDED_AT / 1000 }),
  CreateKey: ({ KeyMetadata }) =>
    expect(KeyMetadata).toMatchObject({ Description: 'made by boto3', AWSAccountId: '111122223333' }),
  ListAliases: ({ Aliases }) => expect(JSON.stringify(Aliases)).toContain('alias/boto3'),
  GetKeyPolicy: ({ Policy }) => expect(JSON.parse(String(Policy)).Statement[0].Sid).toBe('Enable IAM User Permissions'),
  Decrypt: ({ Plaintext, CiphertextForRecipient, KeyId }) => {
    const opened =
      Plaintext === undefined
        ? openForRecordedEnclave(CiphertextForRecipient)
        : Buffer.from(String(Plaintext), 'base64');
    expect(Buffer.from(opened).toString()).toBe(RECORDING.plaintext);
    expect(KeyId).toBe(KEY_ARN);
  },
  ReEncrypt: ({ SourceKeyId, KeyId }) => expect([SourceKeyId, KeyId]).toEqual([KEY_ARN, KEY_ARN]),
  GenerateRandom: ({ CiphertextForRecipient }) =>
    expect(openForRecordedEnclave(CiphertextForRecipient)).toHaveLength(32),
};

describe("another language's SDK", () => {
  it('is recorded with more than twenty requests, of boto3 and of the AWS CLI', () => {
    const producers = new Set(REQUESTS.map(({ producer }) => producer.split(' ')[0]));
    expect(REQUESTS.length).toBeGreaterThan(20);
    expect([...producers]).toEqual(['boto3', 'aws-cli']);
  });

  it('is answered, request by request', async () => {
    for (const one of REQUESTS) {
      const { status, body } = await replay(kms, one);
      const operation = targetOf(one);
      // The recorded key cannot sign: the one request that KMS has to refuse.
      expect([operation, status, body['__type']]).toEqual(
        operation === 'Sign' ? [operation, 400, 'InvalidKeyUsageException'] : [operation, 200, undefined],
      );
      if (operation !== 'Sign') EXPECTED[operation]?.(body);
    }
  });
});

/** A recording with one header changed, or taken out. */
function withHeader(
  one: RecordedRequest,
  name: string,
  change: (value: string) => string | undefined,
): RecordedRequest {
  const headers = one.headers.flatMap(([own, value]): [string, string][] => {
    if (own !== name) return [[own, value]];
    const changed = change(value);
    return changed === undefined ? [] : [[own, changed]];
  });
  return { ...one, headers };
}

function recorded(operation: string): RecordedRequest {
  const found = REQUESTS.find((one) => targetOf(one) === operation);
  if (found === undefined) throw new Error(`expected a recorded ${operation}`);
  return found;
}

const AUTHORIZATION = 'Authorization';
const MISMATCH = /^The request signature we calculated does not match the signature you provided\./;

/** What is done to a good request, and how AWS refuses it. */
const FORGERIES: readonly [
  name: string,
  forge: (one: RecordedRequest) => RecordedRequest,
  type: string,
  message: RegExp,
][] = [
  [
    'one byte of the body',
    (one) => ({ ...one, body: one.body.replace('alias/recorded', 'alias/recordec') }),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'another operation',
    (one) => withHeader(one, 'X-Amz-Target', () => 'TrentService.DisableKey'),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'another host',
    (one) => withHeader(one, 'Host', () => 'kms.eu-west-1.amazonaws.com'),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'a signature with one digit changed',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace(/.$/, (last) => (last === '0' ? '1' : '0'))),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'a signature that is too short',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.slice(0, -2)),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'a signature that is no hexadecimal',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace(/Signature=.*/, `Signature=${'z'.repeat(64)}`)),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'no Authorization',
    (one) => withHeader(one, AUTHORIZATION, () => undefined),
    'MissingAuthenticationTokenException',
    /^Missing Authentication Token$/,
  ],
  [
    'another algorithm',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace('AWS4-HMAC-SHA256', 'AWS3-HTTPS')),
    'IncompleteSignatureException',
    /^Unsupported AWS 'algorithm': 'AWS3-HTTPS'\.$/,
  ],
  [
    'no signature',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace(/, Signature=.*/, '')),
    'IncompleteSignatureException',
    /requires 'Signature' parameter/,
  ],
  [
    'no signed headers',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace(/SignedHeaders=[^,]*, /, '')),
    'IncompleteSignatureException',
    /requires 'SignedHeaders' parameter/,
  ],
  [
    'a credential with four parts',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace('/aws4_request', '')),
    'IncompleteSignatureException',
    /exactly 5 slash-delimited elements/,
  ],
  [
    'an unknown access key',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace('ASIAEMULATEDRECORD01', 'ASIAEMULATEDRECORD02')),
    'UnrecognizedClientException',
    /^The security token included in the request is invalid\.$/,
  ],
  [
    'another region',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace('us-east-1', 'eu-west-1')),
    'InvalidSignatureException',
    /scoped to a valid region/,
  ],
  [
    'another service',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace('/kms/', '/sts/')),
    'InvalidSignatureException',
    /scoped to correct service: 'kms'/,
  ],
  [
    'another terminator',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace('aws4_request', 'aws5_request')),
    'InvalidSignatureException',
    /valid terminator: 'aws4_request'/,
  ],
  [
    'a scope of another day',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace('20260115', '20260114')),
    'InvalidSignatureException',
    /does not match YYYYMMDD/,
  ],
  [
    'another session token',
    (one) => withHeader(one, 'X-Amz-Security-Token', () => 'another'),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'no session token',
    (one) => withHeader(one, 'X-Amz-Security-Token', () => undefined),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'no date',
    (one) => withHeader(one, 'X-Amz-Date', () => undefined),
    'IncompleteSignatureException',
    /'X-Amz-Date' or a 'Date' header/,
  ],
  [
    'a date in words',
    (one) => withHeader(one, 'X-Amz-Date', () => 'yesterday'),
    'InvalidSignatureException',
    /does not match YYYYMMDD|basic format/,
  ],
  [
    'a time that the signature is not for',
    (one) => withHeader(one, 'X-Amz-Date', () => '20260115T120001Z'),
    'InvalidSignatureException',
    MISMATCH,
  ],
  [
    'the host not signed',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace('content-type;host;', 'content-type;')),
    'InvalidSignatureException',
    /'Host' or ':authority' must be a 'SignedHeader'/,
  ],
  [
    'the operation not signed',
    (one) => withHeader(one, AUTHORIZATION, (value) => value.replace(';x-amz-target', '')),
    'InvalidSignatureException',
    /'x-amz-target' must be a 'SignedHeader'/,
  ],
  [
    'a header of AWS that is not signed',
    (one) => ({ ...one, headers: [...one.headers, ['X-Amz-Something', 'else']] }),
    'InvalidSignatureException',
    /'x-amz-something' must be a 'SignedHeader'/,
  ],
  [
    'a hash of another body',
    (one) =>
      withHeader(
        { ...one, headers: [...one.headers, ['X-Amz-Content-Sha256', '0'.repeat(64)]] },
        AUTHORIZATION,
        (value) => value.replace('host;', 'host;x-amz-content-sha256;'),
      ),
    'InvalidSignatureException',
    /x-amz-content-sha256/,
  ],
];

describe('a request that somebody changed', () => {
  it.each(FORGERIES)('is refused: %s', async (_, forge, type, message) => {
    const { status, body } = await replay(kms, forge(recorded('Encrypt')));
    expect([status, body['__type']]).toEqual([400, type]);
    expect(String(body['message'])).toMatch(message);
  });

  it('does nothing of what it asks for', async () => {
    await replay(
      kms,
      withHeader(recorded('EnableKey'), 'X-Amz-Target', () => 'TrentService.DisableKey'),
    );
    const { body } = await replay(kms, recorded('DescribeKey'));
    expect(body['KeyMetadata']).toMatchObject({ KeyState: 'Enabled' });
  });
});

describe('a request at another time', () => {
  const MINUTE = 60_000;

  async function replayAt(time: number): Promise<Answer> {
    await using late = await startEmulatedKms(recordedOptions(pki, () => time));
    return await replay(late, recorded('Encrypt'));
  }

  it.each([-5 * MINUTE, -1, 0, 5 * MINUTE])('is taken %d ms later', async (offset) => {
    expect((await replayAt(RECORDED_AT + offset)).status).toBe(200);
  });

  it('is refused when it is older than five minutes', async () => {
    const { body } = await replayAt(RECORDED_AT + 5 * MINUTE + 1000);
    expect(body).toEqual({
      __type: 'InvalidSignatureException',
      message: 'Signature expired: 20260115T120000Z is now earlier than 20260115T120001Z (20260115T120501Z - 5 min.)',
    });
  });

  it('is refused when it is of the future', async () => {
    const { body } = await replayAt(RECORDED_AT - 5 * MINUTE - 1000);
    expect(body).toEqual({
      __type: 'InvalidSignatureException',
      message:
        'Signature not yet current: 20260115T120000Z is still later than 20260115T115959Z (20260115T115459Z + 5 min.)',
    });
  });
});

describe('credentials', () => {
  it('that have expired are refused', async () => {
    const options = recordedOptions(pki);
    const [credentials] = options.credentials ?? [];
    if (credentials === undefined) throw new Error('expected credentials');
    await using expired = await startEmulatedKms({
      ...options,
      credentials: [{ ...credentials, expiration: new Date(RECORDED_AT) }],
    });
    const { status, body } = await replay(expired, recorded('Encrypt'));
    expect([status, body]).toEqual([
      400,
      { __type: 'ExpiredTokenException', message: 'The security token included in the request is expired' },
    ]);
  });

  it('of another secret are refused', async () => {
    const options = recordedOptions(pki);
    const [credentials] = options.credentials ?? [];
    if (credentials === undefined) throw new Error('expected credentials');
    await using other = await startEmulatedKms({
      ...options,
      credentials: [{ ...credentials, secretAccessKey: 'another' }],
    });
    expect((await replay(other, recorded('Encrypt'))).body['__type']).toBe('InvalidSignatureException');
  });

  it('whose session token is another than the signed one are refused', async () => {
    const options = recordedOptions(pki);
    const [credentials] = options.credentials ?? [];
    if (credentials === undefined) throw new Error('expected credentials');
    await using other = await startEmulatedKms({
      ...options,
      credentials: [{ ...credentials, sessionToken: 'another' }],
    });
    expect((await replay(other, recorded('Encrypt'))).body['__type']).toBe('UnrecognizedClientException');
  });

  it('that were taken away are refused', async () => {
    const options = recordedOptions(pki);
    await using kept = await startEmulatedKms(options);
    kept.removeCredentials('ASIAEMULATEDRECORD01');
    expect((await replay(kept, recorded('Encrypt'))).body['__type']).toBe('UnrecognizedClientException');
  });
});
