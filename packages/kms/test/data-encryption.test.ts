import { createHash, randomBytes } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { AlgorithmSuiteIdentifier, buildClient, CommitmentPolicy, KmsKeyringNode } from '@aws-crypto/client-node';
import type { KMS } from '@aws-sdk/client-kms';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DataError, dataEncryption, releaseBeforeSignature } from '../src/index.ts';
import { Emulation, KEY_ARN, OTHER_KEY_ARN } from './support/emulation.ts';
import { collectGarbage } from './support/garbage.ts';

let emulation: Emulation;
let kms: KMS;
const context = { purpose: 'payments', tenant: '42' };
const plaintext = Buffer.from('date,merchant,amount\n2026-11-25,7,12.50\n');

beforeAll(async () => {
  emulation = await Emulation.start();
  kms = emulation.client();
});
afterEach(() => {
  emulation.faults.set({});
  emulation.audit.length = 0;
});
afterAll(() => emulation[Symbol.asyncDispose]());

const data = (options: Partial<Parameters<typeof dataEncryption>[0]> = {}) =>
  dataEncryption({ client: kms, keyArn: KEY_ARN, ...options });
const calls = (name: string) => emulation.audit.filter(({ eventName }) => eventName === name).length;
/** The Encryption SDK as anybody uses it, through the same client. */
const esdk = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const keyring = (keyArn = KEY_ARN) =>
  new KmsKeyringNode({ clientProvider: () => kms as never, generatorKeyId: keyArn });

async function refusalOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'NOT_REFUSED',
    (error: { code?: string; name: string }) => error.code ?? error.name,
  );
}

describe('bytes', () => {
  it('open again, with their context', async () => {
    const message = await data().encrypt(plaintext, { context });
    const opened = await data().decrypt(message, { context });
    expect(Buffer.from(opened.plaintext)).toEqual(plaintext);
    expect(opened.context).toMatchObject(context);
  });

  it.each([0, 1, 65_535, 65_536, 65_537, 300_000])('of %d bytes open again', async (size) => {
    const bytes = randomBytes(size);
    const opened = await data().decrypt(await data().encrypt(bytes, { context }), { context });
    expect(Buffer.from(opened.plaintext).equals(bytes)).toBe(true);
  });

  it('open by a part of their context', async () => {
    const message = await data().encrypt(plaintext, { context });
    expect((await data().decrypt(message, { context: { purpose: 'payments' } })).context).toMatchObject({
      tenant: '42',
    });
  });

  it('open with the AWS Encryption SDK alone', async () => {
    const message = await data().encrypt(plaintext, { context });
    const opened = await esdk.decrypt(keyring(), message);
    expect(opened.plaintext).toEqual(plaintext);
    expect(opened.messageHeader.suiteId).toBe(
      AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
    );
  });

  it('of the AWS Encryption SDK alone open here, signed ones too', async () => {
    const { result } = await esdk.encrypt(keyring(), plaintext, { encryptionContext: context });
    expect(Buffer.from((await data().decrypt(result, { context })).plaintext)).toEqual(plaintext);
  });

  it('open under any of several keys', async () => {
    const message = await data({ additionalKeyArns: [OTHER_KEY_ARN] }).encrypt(plaintext, { context });
    const opened = await data({ keyArn: OTHER_KEY_ARN }).decrypt(message, { context });
    expect(Buffer.from(opened.plaintext)).toEqual(plaintext);
  });
});

describe('messages that are refused, with nothing of them released', () => {
  const empty: [string, Record<string, string>][] = [
    ['no context', {}],
    ['a field without a value', { purpose: '' }],
    ["a field of the Encryption SDK's own", { 'aws-crypto-public-key': 'x' }],
    ["a field of the Encryption SDK's own beside ours", { purpose: 'x', 'aws-crypto-y': 'z' }],
  ];
  it.each(empty)('%s: CONTEXT_FIELD_MISSING, on every call', async (_, wrong) => {
    const cipher = data();
    expect(await refusalOf(cipher.encrypt(plaintext, { context: wrong }))).toBe('CONTEXT_FIELD_MISSING');
    expect(await refusalOf(cipher.decrypt(plaintext, { context: wrong }))).toBe('CONTEXT_FIELD_MISSING');
    expect(() => cipher.encryptStream({ context: wrong })).toThrow(DataError);
    expect(() => cipher.decryptStream({ context: wrong })).toThrow(DataError);
  });

  it('of another context: CONTEXT_MISMATCH, before KMS is asked', async () => {
    const message = await data().encrypt(plaintext, { context });
    emulation.audit.length = 0;
    for (const wrong of [
      { purpose: 'refunds' },
      { ...context, tenant: '43' },
      { ...context, more: 'x' },
      { toString: 'x' },
    ])
      expect(await refusalOf(data().decrypt(message, { context: wrong }))).toBe('CONTEXT_MISMATCH');
    expect(calls('Decrypt')).toBe(0);
  });

  it('under another key: MESSAGE_REFUSED, though KMS would open it', async () => {
    const message = await data({ keyArn: OTHER_KEY_ARN }).encrypt(plaintext, { context });
    expect(await refusalOf(data().decrypt(message, { context }))).toBe('MESSAGE_REFUSED');
  });

  it('without key commitment: MESSAGE_REFUSED', async () => {
    const old = buildClient(CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT);
    const { result } = await old.encrypt(keyring(), plaintext, { encryptionContext: context });
    expect(await refusalOf(data().decrypt(result, { context }))).toBe('MESSAGE_REFUSED');
  });

  it('with more data keys than eight: MESSAGE_REFUSED', async () => {
    const many = new KmsKeyringNode({
      clientProvider: () => kms as never,
      generatorKeyId: KEY_ARN,
      keyIds: Array.from({ length: 8 }, () => OTHER_KEY_ARN),
    });
    const { result } = await esdk.encrypt(many, plaintext, { encryptionContext: context });
    emulation.audit.length = 0;
    expect(await refusalOf(data().decrypt(result, { context }))).toBe('MESSAGE_REFUSED');
    expect(calls('Decrypt')).toBe(0);
  });

  it('cut off anywhere, or with a changed bit anywhere: MESSAGE_REFUSED', async () => {
    const cached = data({ cache: { maxAge: 600_000 } });
    const message = Buffer.from(await cached.encrypt(plaintext, { context }));
    for (let at = 0; at < message.length; at += 7) {
      const changed = Buffer.from(message);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(['MESSAGE_REFUSED', 'CONTEXT_MISMATCH'], `byte ${at}`).toContain(
        await refusalOf(cached.decrypt(changed, { context })),
      );
      expect(await refusalOf(cached.decrypt(message.subarray(0, at), { context })), `cut at ${at}`).toBe(
        'MESSAGE_REFUSED',
      );
    }
  });

  it('with something behind their end, be it one byte or another message: MESSAGE_REFUSED', async () => {
    const cached = data({ cache: { maxAge: 600_000 } });
    const message = await cached.encrypt(randomBytes(200_000), { context });
    const { result: signed } = await esdk.encrypt(keyring(), plaintext, { encryptionContext: context });
    emulation.audit.length = 0;
    for (const first of [message, signed])
      for (const more of [Buffer.of(0), message]) {
        const joined = Buffer.concat([first, more]);
        expect(await refusalOf(cached.decrypt(joined, { context }))).toBe('MESSAGE_REFUSED');
        const options = { context, [releaseBeforeSignature]: true } as const;
        for (const chunks of [[joined], [first, more]])
          expect(await refusalOf(buffer(Readable.from(chunks).pipe(cached.decryptStream(options))))).toBe(
            'MESSAGE_REFUSED',
          );
      }
  });

  it.each(['', 'hello', '\x02\x05', '{"a":1}'])('%j: MESSAGE_REFUSED', async (text) => {
    expect(await refusalOf(data().decrypt(Buffer.from(text), { context }))).toBe('MESSAGE_REFUSED');
  });

  it('never put a plaintext or a key into the error', async () => {
    const message = Buffer.from(await data().encrypt(plaintext, { context }));
    message[message.length - 1] = (message.at(-1) ?? 0) ^ 1;
    const error: Error = await data()
      .decrypt(message, { context })
      .then(
        () => new Error('nothing thrown'),
        (reason) => reason,
      );
    expect(`${error.message} ${error.stack} ${(error.cause as Error).stack}`).not.toContain('merchant');
  });
});

describe('errors of KMS', () => {
  it('come through an encryption as they are', async () => {
    emulation.kmsFaults({ kind: 'expired-credentials' });
    expect(await refusalOf(data().encrypt(plaintext, { context }))).toBe('ExpiredTokenException');
    const encrypting = buffer(Readable.from([plaintext]).pipe(data().encryptStream({ context })));
    expect(await refusalOf(encrypting)).toBe('ExpiredTokenException');
  });

  it('come through a decryption as they are, and do not make the message a damaged one', async () => {
    const message = await data().encrypt(plaintext, { context });
    emulation.kmsFaults({ kind: 'throttle' });
    const stream = Readable.from([message]).pipe(data().decryptStream({ context }));
    for (const decrypting of [data().decrypt(message, { context }), buffer(stream)])
      await expect(decrypting).rejects.toMatchObject({
        name: 'ThrottlingException',
        message: expect.stringContaining('slow down'),
      });
  });

  it('come through a decryption by another image, with its PCRs', async () => {
    const message = await data().encrypt(plaintext, { context });
    const elsewhere = data({ client: emulation.client({ isOtherImage: true }) });
    await expect(elsewhere.decrypt(message, { context })).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining(`PCR0=${'b0'.repeat(48)}`),
    });
  });

  it('are of no account where another key opens the message', async () => {
    const message = await data({ additionalKeyArns: [OTHER_KEY_ARN] }).encrypt(plaintext, { context });
    emulation.kmsFaults({ kind: 'throttle', operations: ['Decrypt'], times: 1 });
    const { plaintext: opened } = await data({ additionalKeyArns: [OTHER_KEY_ARN] }).decrypt(message, { context });
    expect(Buffer.from(opened)).toEqual(plaintext);
  });

  it('that are about the message stay MESSAGE_REFUSED', async () => {
    const message = Buffer.from(await data().encrypt(plaintext, { context }));
    const names = message.indexOf('tenant');
    message.write('tenanz', names);
    emulation.audit.length = 0;
    const opening = data().decrypt(message, { context: { purpose: 'payments' } });
    expect(await refusalOf(opening)).toBe('MESSAGE_REFUSED');
    expect(calls('Decrypt')).toBe(1);
  });

  it('do not outlast the signal', async () => {
    emulation.kmsFaults({ kind: 'timeout' });
    const encrypting = data().encrypt(plaintext, { context, signal: AbortSignal.timeout(100) });
    await expect(encrypting).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});

describe('data key caching', () => {
  it('asks KMS once for many messages, within its limits', async () => {
    const cached = data({ cache: { maxAge: 600_000, maxMessages: 4 } });
    const messages: Uint8Array[] = [];
    for (let count = 0; count < 8; count += 1) messages.push(await cached.encrypt(plaintext, { context }));
    expect(calls('GenerateDataKey')).toBe(2);
    for (const message of messages) await cached.decrypt(message, { context });
    expect(calls('Decrypt')).toBe(2);
  });

  it('does not serve another context from the same data key', async () => {
    const cached = data({ cache: { maxAge: 600_000 } });
    await cached.encrypt(plaintext, { context });
    await cached.encrypt(plaintext, { context: { purpose: 'refunds' } });
    expect(calls('GenerateDataKey')).toBe(2);
  });

  it('ends a data key at its bytes', async () => {
    const cached = data({ cache: { maxAge: 600_000, maxBytes: 100 } });
    for (let count = 0; count < 4; count += 1) await cached.encrypt(randomBytes(60), { context });
    expect(calls('GenerateDataKey')).toBeGreaterThanOrEqual(2);
  });

  it('serves streams whose length is known', async () => {
    const cached = data({ cache: { maxAge: 600_000 } });
    for (let count = 0; count < 3; count += 1)
      await buffer(
        Readable.from([plaintext]).pipe(cached.encryptStream({ context, plaintextLength: plaintext.length })),
      );
    expect(calls('GenerateDataKey')).toBe(1);
  });

  it('is off unless asked for', async () => {
    await data().encrypt(plaintext, { context });
    await data().encrypt(plaintext, { context });
    expect(calls('GenerateDataKey')).toBe(2);
  });

  it.each([0, -1])('refuses a maxAge of %d', (maxAge) => {
    expect(() => data({ cache: { maxAge } })).toThrow();
  });
});

describe('streams', () => {
  const encryptAll = (bytes: Uint8Array) => buffer(Readable.from([bytes]).pipe(data().encryptStream({ context })));

  it('open again, and by bytes, and the reverse', async () => {
    const bytes = randomBytes(500_000);
    const message = await encryptAll(bytes);
    expect((await buffer(Readable.from([message]).pipe(data().decryptStream({ context })))).equals(bytes)).toBe(true);
    expect(Buffer.from((await data().decrypt(message, { context })).plaintext).equals(bytes)).toBe(true);
    const whole = await data().encrypt(bytes, { context });
    expect((await buffer(Readable.from([whole]).pipe(data().decryptStream({ context })))).equals(bytes)).toBe(true);
  });

  it('hold constant memory whatever the length', async () => {
    const pieces = 512;
    const piece = randomBytes(262_144);
    const hashes = [createHash('sha256'), createHash('sha256')] as const;
    const heldBytes = () => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers;
    };
    const held: number[] = [];
    const source = Readable.from(
      (function* () {
        for (let count = 0; count < pieces; count += 1) {
          hashes[0].update(piece);
          if (count > pieces / 2 && count % 16 === 0) held.push(heldBytes());
          yield piece;
        }
      })(),
    );
    const before = heldBytes();
    const sink = new Writable({
      write(chunk, _encoding, done) {
        hashes[1].update(chunk);
        done();
      },
    });
    await pipeline(source, data().encryptStream({ context }), data().decryptStream({ context }), sink);
    expect(hashes[0].digest('hex')).toBe(hashes[1].digest('hex'));
    // The least of the second half: what is kept of every piece is kept there too, what V8 has yet to let go of is not.
    expect((Math.min(...held) - before) / (pieces * piece.length)).toBeLessThan(0.1);
  });

  it('refuse another context before a byte comes out', async () => {
    const message = await encryptAll(plaintext);
    const stream = Readable.from([message]).pipe(data().decryptStream({ context: { purpose: 'refunds' } }));
    expect(await refusalOf(buffer(stream))).toBe('CONTEXT_MISMATCH');
  });

  it('fail when the message was cut off, whole frames only having come out', async () => {
    const bytes = randomBytes(200_000);
    const message = await encryptAll(bytes);
    const released: Buffer[] = [];
    const sink = new Writable({
      write(chunk, _encoding, done) {
        released.push(chunk);
        done();
      },
    });
    const reading = pipeline(Readable.from([message.subarray(0, 150_000)]), data().decryptStream({ context }), sink);
    expect(await refusalOf(reading)).toBe('MESSAGE_REFUSED');
    const out = Buffer.concat(released);
    expect(out.length % 65_536).toBe(0);
    expect(bytes.subarray(0, out.length).equals(out)).toBe(true);
  });

  it('release no byte of a frame that was changed', async () => {
    const message = await encryptAll(randomBytes(200_000));
    message[message.length - 100_000] = (message.at(-100_000) ?? 0) ^ 1;
    let released = 0;
    const sink = new Writable({
      write(chunk, _encoding, done) {
        released += chunk.length;
        done();
      },
    });
    expect(await refusalOf(pipeline(Readable.from([message]), data().decryptStream({ context }), sink))).toBe(
      'MESSAGE_REFUSED',
    );
    expect(released).toBeLessThanOrEqual(65_536);
  });

  it('refuse frames that were exchanged', async () => {
    const frame = 1024;
    const cipher = data({ frameBytes: frame });
    const message = Buffer.from(await cipher.encrypt(randomBytes(frame * 3), { context }));
    const frameLength = 4 + 12 + frame + 16;
    const start = message.length - 3 * frameLength - 4 - (4 + 4 + 12 + 16) + 4;
    const swapped = Buffer.concat([
      message.subarray(0, start),
      message.subarray(start + frameLength, start + 2 * frameLength),
      message.subarray(start, start + frameLength),
      message.subarray(start + 2 * frameLength),
    ]);
    expect(await refusalOf(buffer(Readable.from([swapped]).pipe(cipher.decryptStream({ context }))))).toBe(
      'MESSAGE_REFUSED',
    );
  });

  it.each([1, 3, 5])(
    'refuse a message whose frame %d stands where another should, without bringing down the process',
    async (place) => {
      const frame = 512;
      const cipher = data({ frameBytes: frame });
      const message = Buffer.from(await cipher.encrypt(randomBytes(frame * 6), { context }));
      const frameLength = 4 + 12 + frame + 16;
      const start = message.length - 6 * frameLength - (4 + 4 + 12 + 4 + 16);
      const at = start + place * frameLength;
      for (const bytes of [u32(7), u32(0), u32(0xffff_ffff)]) {
        const changed = Buffer.from(message);
        changed.set(bytes, at);
        for (const size of [changed.length, 100, 1])
          expect(
            await refusalOf(buffer(Readable.from(pieces(changed, size)).pipe(cipher.decryptStream({ context })))),
          ).toBe('MESSAGE_REFUSED');
        expect(await refusalOf(cipher.decrypt(changed, { context }))).toBe('MESSAGE_REFUSED');
      }
    },
  );

  it.each([-1, 1])('refuse %d byte more than was stated', async (more) => {
    const stream = data().encryptStream({ context, plaintextLength: plaintext.length - more });
    expect(await refusalOf(buffer(Readable.from([plaintext]).pipe(stream)))).toBe('PLAINTEXT_LENGTH');
  });

  it.each([[[200_000]], [[70_000, 70_000]], [[1, 150_000, 65_536, 200_000]]])(
    'take what was stated in pieces of %j bytes, larger than a frame',
    async (sizes) => {
      const bytes = sizes.map((size) => randomBytes(size));
      const plaintextLength = sizes.reduce((sum, size) => sum + size);
      const stream = data({ cache: { maxAge: 600_000 } }).encryptStream({ context, plaintextLength });
      const message = await buffer(Readable.from(bytes).pipe(stream));
      expect(Buffer.from((await data().decrypt(message, { context })).plaintext).equals(Buffer.concat(bytes))).toBe(
        true,
      );
    },
  );

  it.each([{}, { plaintextLength: 4000 }])('end quietly when they are destroyed half way: %j', async (stated) => {
    const stream = data({ frameBytes: 256 }).encryptStream({ context, ...stated });
    const closed = new Promise<void>((resolve) => stream.once('close', resolve));
    stream.write(randomBytes(700));
    await new Promise((resolve) => stream.once('data', resolve));
    stream.destroy();
    await closed;
    // Whatever still went on in the Encryption SDK's stream would throw into nowhere now.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(stream.errored).toBeNull();
  });

  it('refuse a signed message, whose signature comes last, unless asked by name', async () => {
    const { result } = await esdk.encrypt(keyring(), plaintext, { encryptionContext: context });
    const open = (options: object) =>
      buffer(Readable.from([result]).pipe(data().decryptStream({ context, ...options })));
    expect(await refusalOf(open({}))).toBe('MESSAGE_REFUSED');
    expect(await open({ [releaseBeforeSignature]: true })).toEqual(plaintext);
  });

  it('refuse frames larger than their memory', async () => {
    const message = await data({ frameBytes: 2_000_000 }).encrypt(randomBytes(2_000_000), { context });
    const small = data({ maxFrameBytes: 1_000_000 });
    expect(await refusalOf(buffer(Readable.from([message]).pipe(small.decryptStream({ context }))))).toBe(
      'MESSAGE_REFUSED',
    );
  });

  it('pass on the failure of their source', async () => {
    const source = new Readable({
      read() {
        this.destroy(new Error('the network went away'));
      },
    });
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    await expect(pipeline(source, data().encryptStream({ context }), sink)).rejects.toThrow('the network went away');
  });

  it('end when they are aborted', async () => {
    const source = new Readable({ read: () => undefined });
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    const signal = AbortSignal.timeout(100);
    expect(await refusalOf(pipeline(source, data().encryptStream({ context }), sink, { signal }))).toBe('ABORT_ERR');
  });
});

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
