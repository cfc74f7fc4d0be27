import { createServer as createTlsServer } from 'node:tls';
import { KMS } from '@aws-sdk/client-kms';
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';
import type { Transport } from '@nitro-enclaves/vsock';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { kmsRequestHandler } from '../src/index.ts';
import { Emulation } from './support/emulation.ts';

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

  it('holds back the rest of an answer: the deadline frees its connection, and whoever waited for that has its turn', async () => {
    emulation.kmsFaults({ kind: 'stall' });
    const client = emulation.client({ config: { requestHandler: handler({ maxSockets: 1 }) } });
    const errors = await Promise.all([failing(random(client)), failing(random(client))]);
    for (const error of errors)
      expect(error).toMatchObject({ name: 'TimeoutError', message: expect.stringContaining('did not come whole') });
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
