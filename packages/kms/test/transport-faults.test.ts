import { connect } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { KMS } from '@aws-sdk/client-kms';
import type { KmsFault, NsmFault, TransportFault } from '@nitro-enclaves/emulator';
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';
import type { Transport } from '@nitro-enclaves/vsock';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { kmsRequestHandler } from '../src/index.ts';
import { Emulation, KEY_ARN, keyPolicyFor } from './support/emulation.ts';

let emulation: Emulation;
beforeAll(async () => {
  emulation = await Emulation.start();
});
afterEach(() => emulation.faults.set({}));
afterAll(() => emulation[Symbol.asyncDispose]());

const random = (client: KMS) => client.generateRandom({ NumberOfBytes: 32 });
const handler = (options: Partial<Parameters<typeof kmsRequestHandler>[0]> = {}) =>
  kmsRequestHandler({
    transport: emulation.enclaveTransport(),
    ca: emulation.kms.ca,
    requestTimeout: 1500,
    ...options,
  });
const failing = async (call: Promise<unknown>): Promise<Error & { code?: string }> =>
  call.then(
    () => expect.fail('expected the call to fail'),
    (reason) => reason,
  );

describe('whatever the parent does to the bytes, a call ends with the truth or an error, and the next one works', () => {
  const faults: [string, TransportFault][] = [
    ['delays them', { kind: 'delay', ms: 20 }],
    ['cuts them off in good order', { kind: 'truncate', bytes: 3000 }],
    ['cuts the connection', { kind: 'drop', bytes: 3000 }],
    ['cuts the connection at once', { kind: 'drop', bytes: 0 }],
    ['changes a bit towards the enclave', { kind: 'corrupt', at: 2500 }],
    ['changes a bit towards KMS', { kind: 'corrupt', at: 900, direction: 'to-parent' }],
    ['swaps parts of them', { kind: 'swap', bytes: 64 }],
    ['replays the beginning', { kind: 'replay', bytes: 1000 }],
  ];
  it.each(faults)('%s', async (_, fault) => {
    emulation.faults.set({ transport: [fault] });
    // A connection that is kept alive keeps its fault: the second attempt is for another connection.
    const client = emulation.client({ config: { requestHandler: handler(), maxAttempts: 2 } });
    const outcome = await random(client).then(
      ({ Plaintext }) => Plaintext?.length,
      (error: Error) => error.name,
    );
    if (typeof outcome === 'number') expect(outcome).toBe(32);
    else expect(outcome).not.toBe('TypeError');
    emulation.faults.set({});
    expect((await random(client)).Plaintext).toHaveLength(32);
    client.destroy();
  });

  it("is retried by the SDK's own strategy, unseen by the caller", async () => {
    emulation.faults.set({ transport: [{ kind: 'drop', bytes: 0, times: 1 }] });
    const client = emulation.client({ config: { requestHandler: handler(), maxAttempts: 3 } });
    expect((await random(client)).Plaintext).toHaveLength(32);
  });
});

describe('whatever KMS does, a call ends with the right error, and the next one works', () => {
  const faults: [KmsFault, string][] = [
    [{ kind: 'throttle' }, 'ThrottlingException'],
    [{ kind: 'server-error', status: 500 }, 'KMSInternalException'],
    [{ kind: 'server-error', status: 502 }, ''],
    [{ kind: 'server-error', status: 503 }, ''],
    [{ kind: 'server-error', status: 504 }, ''],
    [{ kind: 'timeout' }, 'TimeoutError'],
    [{ kind: 'drop' }, ''],
    [{ kind: 'expired-credentials' }, 'ExpiredTokenException'],
    [{ kind: 'other-key' }, 'KmsRecipientError'],
    [{ kind: 'no-ciphertext-for-recipient' }, 'KmsRecipientError'],
  ];
  it.each(faults)('%j', async (fault, name) => {
    emulation.kmsFaults(fault);
    const client = emulation.client({ config: { requestHandler: handler() } });
    const dataKey = () => client.generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' });
    const error = await failing(dataKey());
    if (name !== '') expect(error.name).toBe(name);
    emulation.kmsFaults();
    expect((await dataKey()).Plaintext).toHaveLength(32);
  });

  it('throttling is retried', async () => {
    emulation.kmsFaults({ kind: 'throttle', times: 2 });
    const client = emulation.client({ config: { requestHandler: handler(), maxAttempts: 4 } });
    expect((await random(client)).Plaintext).toHaveLength(32);
  });

  it('a forged envelope of the right length cannot be told by its form: TLS is what keeps it out', async () => {
    emulation.kmsFaults({ kind: 'forged-ciphertext-for-recipient' });
    const client = emulation.client({ config: { requestHandler: handler() } });
    const outcome = await client.generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' }).then(
      () => 'taken',
      (error: { code?: string }) => error.code,
    );
    expect(['taken', 'ANSWER_LENGTH']).toContain(outcome);
  });
});

describe('whatever the NSM does, a call ends with the right error, and the next one works', () => {
  const faults: [NsmFault, string][] = [
    [{ kind: 'error', error: 'InternalError' }, 'KmsRecipientError'],
    [{ kind: 'stale-document', ageMs: 86_400_000 }, 'ValidationException'],
    [{ kind: 'foreign-document' }, 'AccessDeniedException'],
    [{ kind: 'foreign-root' }, 'ValidationException'],
    [{ kind: 'unsigned-document' }, 'ValidationException'],
  ];
  it.each(faults)('%j', async (fault, name) => {
    emulation.faults.set({ nsm: [fault] });
    const client = emulation.client();
    const dataKey = () => client.generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' });
    expect((await failing(dataKey())).name).toBe(name);
    emulation.faults.set({});
    expect((await dataKey()).Plaintext).toHaveLength(32);
  });

  it('a slow one is waited for', async () => {
    emulation.faults.set({ nsm: [{ kind: 'slow', ms: 200 }] });
    expect((await random(emulation.client())).Plaintext).toHaveLength(32);
  });
});

describe('the way to KMS', () => {
  const nobody: Transport = {
    localCid: 16,
    connect: (options) => emulation.enclaveTransport().connect({ ...options, port: 7999 }),
    createServer: () => expect.fail('nobody listens'),
  };

  it('is closed: the error says to look at the proxy', async () => {
    const error = await failing(
      random(emulation.client({ config: { requestHandler: handler({ transport: nobody }) } })),
    );
    expect(error.message).toContain('is the proxy running on the parent');
  });

  it('is silent: the error comes at the deadline', async () => {
    const parent = await import('@nitro-enclaves/vsock').then(({ unixTransport }) =>
      unixTransport({ folder: emulation.folder, cid: 3 }),
    );
    const silent = parent.createServer({}, (socket) => void socket.resume());
    await silent.listen({ port: 7998 });
    const client = emulation.client({ config: { requestHandler: handler({ port: 7998, connectTimeout: 200 }) } });
    const error = await failing(random(client));
    expect(error.message).toContain('TLS handshake took too long');
    expect(error.message).toContain('is the proxy running on the parent');
    await silent.drain({ timeout: 0 });
  });

  it('leads to something that does not speak TLS: the error says so', async () => {
    const { unixTransport } = await import('@nitro-enclaves/vsock');
    const web = unixTransport({ folder: emulation.folder, cid: 3 }).createServer({}, (socket) => {
      socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await web.listen({ port: 7995 });
    const error = await failing(
      random(emulation.client({ config: { requestHandler: handler({ port: 7995, requestTimeout: 20_000 }) } })),
    );
    expect(error.message).toContain("what came is not KMS's TLS");
    await web.drain({ timeout: 0 });
  });

  it('comes about only when it was given up: nothing is left of it', async () => {
    const { unixTransport } = await import('@nitro-enclaves/vsock');
    const silent = unixTransport({ folder: emulation.folder, cid: 3 }).createServer({}, (socket) => {
      socket.on('error', () => undefined).resume();
    });
    await silent.listen({ port: 7994 });
    const closed = new Promise<void>((resolve) => {
      const transport: Transport = {
        ...nobody,
        // A transport that does not heed its deadline.
        connect: async () => {
          await new Promise((wait) => setTimeout(wait, 200));
          const socket = await emulation.enclaveTransport().connect({ cid: 3, port: 7994 });
          socket.once('close', () => resolve());
          return socket;
        },
      };
      const requestHandler = handler({ transport, connectTimeout: 50, requestTimeout: 20_000 });
      void failing(random(emulation.client({ config: { requestHandler } })));
    });
    await closed;
    await silent.drain({ timeout: 0 });
  });

  it('holds back the rest of an answer: the error comes at the deadline, though the head was there', async () => {
    // Two TLS records of 16 KiB: the first with the head of the answer.
    const policy = keyPolicyFor('a0'.repeat(48));
    const Policy = JSON.stringify({ ...policy, Id: 'x'.repeat(24_000) });
    const { KeyMetadata } = await emulation.plainClient().createKey({ Policy });
    const { unixTransport } = await import('@nitro-enclaves/vsock');
    const relay = unixTransport({ folder: emulation.folder, cid: 3 }).createServer({}, (socket) => {
      const upstream = connect({ host: emulation.kms.host, port: emulation.kms.port });
      let left = 20_000;
      upstream.on('data', (chunk: Buffer) => {
        socket.write(chunk.subarray(0, left));
        left -= Math.min(left, chunk.length);
      });
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
      upstream.on('error', () => socket.destroy());
      socket.pipe(upstream);
    });
    await relay.listen({ port: 7996 });
    const requestHandler = handler({ port: 7996, maxSockets: 1, requestTimeout: 3000 });
    const client = emulation.client({ config: { requestHandler } });
    // The second needs the slot of the first.
    for (let call = 0; call < 2; call += 1) {
      const error = await failing(client.getKeyPolicy({ KeyId: KeyMetadata?.KeyId }));
      expect(error).toMatchObject({ name: 'TimeoutError', message: expect.stringContaining('did not come whole') });
    }
    await relay.drain({ timeout: 0 });
  });

  it('is aborted by the caller', async () => {
    emulation.kmsFaults({ kind: 'timeout' });
    const client = emulation.client({ config: { requestHandler: handler({ requestTimeout: 60_000 }) } });
    const abortSignal = AbortSignal.timeout(300);
    const error = await failing(client.generateRandom({ NumberOfBytes: 8 }, { abortSignal }));
    expect(error.name).toBe('AbortError');
  });

  it('ends TLS inside: a certificate of another authority is refused, with what to look at', async () => {
    const { rootCertificate } = await createNitroPki();
    await using other = await startEmulatedKms({ region: 'eu-west-1', attestation: { roots: [rootCertificate] } });
    const error = await failing(random(emulation.client({ config: { requestHandler: handler({ ca: other.ca }) } })));
    expect(error.message).toContain("the server's certificate is not trusted here");
  });

  it('trusts the public authorities, and no emulator, unless told otherwise', async () => {
    const requestHandler = kmsRequestHandler({ transport: emulation.enclaveTransport() });
    const error = await failing(random(emulation.client({ config: { requestHandler } })));
    expect(error.message).toContain("the server's certificate is not trusted here");
  });

  it('refuses a certificate of the right authority for another host', async () => {
    const error = await failing(
      random(emulation.client({ config: { requestHandler: handler(), region: 'us-west-2' } })),
    );
    expect(error.message).toContain('it answered for another host');
  });

  it('refuses an endpoint without TLS', async () => {
    const config = { requestHandler: handler(), endpoint: 'http://kms.eu-west-1.amazonaws.com' };
    const error = await failing(random(emulation.client({ config })));
    expect(error).toMatchObject({ code: 'PLAINTEXT_REFUSED' });
  });

  it('keeps its connections alive', async () => {
    let connects = 0;
    const transport: Transport = {
      ...nobody,
      connect: (options) => {
        connects += 1;
        return emulation.enclaveTransport().connect(options);
      },
    };
    const client = emulation.client({ config: { requestHandler: handler({ transport }) } });
    for (let call = 0; call < 5; call += 1) await random(client);
    expect(connects).toBe(1);
  });

  it('opens no more connections than maxSockets', async () => {
    let open = 0;
    let most = 0;
    const transport: Transport = {
      ...nobody,
      connect: async (options) => {
        const socket = await emulation.enclaveTransport().connect(options);
        open += 1;
        most = Math.max(most, open);
        socket.once('close', () => {
          open -= 1;
        });
        return socket;
      },
    };
    const client = emulation.client({
      config: { requestHandler: handler({ transport, maxSockets: 3, requestTimeout: 20_000 }) },
    });
    await Promise.all(Array.from({ length: 20 }, () => random(client)));
    expect(most).toBeLessThanOrEqual(3);
  });

  it('fails every waiting call when no connection comes about, none waits for ever', async () => {
    const requestHandler = handler({ transport: nobody, maxSockets: 1, requestTimeout: 60_000 });
    const client = emulation.client({ config: { requestHandler } });
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => random(client)));
    expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 'rejected'));
  });

  it.each([
    ['us-east-1', 'kms.us-east-1.amazonaws.com'],
    ['cn-north-1', 'kms.cn-north-1.amazonaws.com.cn'],
    ['us-gov-west-1', 'kms.us-gov-west-1.amazonaws.com'],
    ['us-iso-east-1', 'kms.us-iso-east-1.c2s.ic.gov'],
    ['us-isob-east-1', 'kms.us-isob-east-1.sc2s.sgov.gov'],
    ['eu-isoe-west-1', 'kms.eu-isoe-west-1.cloud.adc-e.uk'],
    ['us-isof-south-1', 'kms.us-isof-south-1.csp.hci.ic.gov'],
    ['eusc-de-east-1', 'kms.eusc-de-east-1.amazonaws.eu'],
  ])("asks for its partition's host by SNI: %s", async (region, host) => {
    const { unixTransport } = await import('@nitro-enclaves/vsock');
    const names: (string | undefined)[] = [];
    const tls = createTlsServer({
      SNICallback: (name, done) => {
        names.push(name);
        done(new Error('no certificate for a test'));
      },
    });
    tls.on('tlsClientError', () => undefined);
    const server = unixTransport({ folder: emulation.folder, cid: 3 }).createServer({}, (socket) =>
      tls.emit('connection', socket),
    );
    await server.listen({ port: 7997 });
    const client = new KMS({
      region,
      credentials: emulation.kms.credentials,
      maxAttempts: 1,
      requestHandler: handler({ port: 7997 }),
    });
    await failing(random(client));
    expect(names).toEqual([host]);
    await server.drain({ timeout: 0 });
  });
});
