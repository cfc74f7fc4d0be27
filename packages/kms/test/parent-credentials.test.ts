import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Transport, VsockServer } from '@nitro-enclaves/vsock';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ParentCredentialsOptions } from '../src/index.ts';
import { CREDENTIALS_PORT, parentCredentials } from '../src/index.ts';

let folder: string;
let enclave: Transport;
let listener: VsockServer | undefined;
let requests: IncomingMessage[];
/** What the parent answers next. */
let answer: (response: ServerResponse) => void;

const MINUTE = 60_000;
const secret = 'a secret access key nobody prints';
const credentialsFor = (milliseconds: number) => ({
  AccessKeyId: 'ASIAEXAMPLE',
  SecretAccessKey: secret,
  Token: 'a session token',
  Expiration: new Date(Date.now() + milliseconds).toISOString(),
});
const give = (body: unknown, status = 200) => {
  answer = (response) => response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
};

/** Time enough on any machine. */
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000 });

async function startParent(): Promise<void> {
  const http = createServer((request, response) => {
    requests.push(request);
    answer(response);
  });
  listener = unixTransport({ folder, cid: 3 }).createServer({ allowHalfOpen: true }, (socket) =>
    http.emit('connection', socket),
  );
  await listener.listen({ port: CREDENTIALS_PORT });
}

const provider = (options: Partial<ParentCredentialsOptions> = {}) =>
  parentCredentials({ transport: enclave, timeout: 2000, retryInterval: 1, ...options });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kms-'));
  enclave = unixTransport({ folder, cid: 16 });
  requests = [];
  give(credentialsFor(60 * MINUTE));
  await startParent();
});
afterEach(async () => {
  await listener?.drain({ timeout: 0 });
  await rm(folder, { recursive: true });
});

describe("credentials from the parent's server", () => {
  it('come in the form of the SDK, with their expiration', async () => {
    const credentials = await provider()();
    expect(credentials).toMatchObject({
      accessKeyId: 'ASIAEXAMPLE',
      secretAccessKey: secret,
      sessionToken: 'a session token',
    });
    expect(credentials.expiration).toBeInstanceOf(Date);
  });

  it('are asked for with the token, on the path given', async () => {
    await provider({ token: 'letmein', path: '/role' })();
    expect(requests[0]).toMatchObject({ url: '/role', method: 'GET' });
    expect(requests[0]?.headers.authorization).toBe('letmein');
  });

  it('are asked for once, however many calls come together', async () => {
    const credentials = provider();
    await Promise.all(Array.from({ length: 20 }, () => credentials()));
    await credentials();
    expect(requests).toHaveLength(1);
  });

  it('are refreshed in the background ahead of expiry, while the ones at hand serve', async () => {
    give(credentialsFor(5 * MINUTE));
    const credentials = provider({ refreshAhead: 10 * MINUTE });
    const first = await credentials();
    give({ ...credentialsFor(60 * MINUTE), AccessKeyId: 'ASIANEXT' });
    expect(await credentials()).toBe(first);
    await eventually(async () => expect((await credentials()).accessKeyId).toBe('ASIANEXT'));
    expect(requests).toHaveLength(2);
  });

  it('serve while valid though the parent is away, with a warning that holds no secret', async () => {
    give(credentialsFor(5 * MINUTE));
    const warnings: string[] = [];
    const credentials = provider({ onWarning: (message) => warnings.push(message) });
    const first = await credentials();
    await listener?.drain({ timeout: 0 });
    expect(await credentials()).toBe(first);
    await eventually(() => expect(warnings).not.toHaveLength(0));
    expect(warnings.join()).toContain('is the credential server running');
    expect(warnings.join()).not.toContain(secret);
    await startParent();
    give({ ...credentialsFor(60 * MINUTE), AccessKeyId: 'ASIANEXT' });
    await eventually(async () => expect((await credentials()).accessKeyId).toBe('ASIANEXT'));
  });

  it('do not wait for one attempt after the other while the parent is away', async () => {
    give(credentialsFor(5 * MINUTE));
    const credentials = provider({ retryInterval: 60_000, onWarning: () => undefined });
    await credentials();
    give('', 500);
    for (let call = 0; call < 10; call += 1) await credentials();
    await eventually(() => expect(requests).toHaveLength(2));
    for (let call = 0; call < 10; call += 1) await credentials();
    expect(requests).toHaveLength(2);
  });

  it('that serve are not given up for ones that have expired', async () => {
    give(credentialsFor(5 * MINUTE));
    const warnings: string[] = [];
    const credentials = provider({ onWarning: (message) => warnings.push(message) });
    const first = await credentials();
    give(credentialsFor(-1000));
    await credentials();
    await eventually(() => expect(warnings.join()).toContain('found ones that expired at'));
    expect(await credentials()).toBe(first);
  });

  it('are not served beyond their expiration', async () => {
    give(credentialsFor(-1000));
    const credentials = provider();
    await credentials();
    await listener?.drain({ timeout: 0 });
    await expect(credentials()).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
  });
});

describe('credentials that do not come give an error that says what to do', () => {
  it('no server: CREDENTIALS_UNAVAILABLE, with the cause', async () => {
    await listener?.drain({ timeout: 0 });
    await expect(provider()()).rejects.toMatchObject({
      name: 'KmsTransportError',
      code: 'CREDENTIALS_UNAVAILABLE',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it.each([401, 403])('HTTP %d: CREDENTIALS_REFUSED', async (status) => {
    give('no', status);
    await expect(provider({ token: 'wrong' })()).rejects.toMatchObject({ code: 'CREDENTIALS_REFUSED' });
  });

  it.each([404, 429, 500, 301])('HTTP %d: CREDENTIALS_UNAVAILABLE', async (status) => {
    give('no', status);
    await expect(provider()()).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
  });

  it('silence: CREDENTIALS_UNAVAILABLE at the deadline', async () => {
    answer = () => undefined;
    await expect(provider({ timeout: 100 })()).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
  });

  it('a body that never ends: CREDENTIALS_UNAVAILABLE at the deadline', async () => {
    answer = (response) => response.writeHead(200).write('{');
    await expect(provider({ timeout: 200 })()).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
  });

  it.each([
    ['that never connects', () => new Promise<never>(() => undefined)],
    [
      'that connects too late',
      async (options: { cid: number; port: number }) => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return enclave.connect(options);
      },
    ],
  ])('a transport %s: CREDENTIALS_UNAVAILABLE at the deadline', async (_, connect) => {
    const credentials = provider({ transport: { connect }, timeout: 100 });
    await expect(credentials()).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
  });

  it('a connection on which nothing could be asked is closed', async () => {
    let connected: Socket | undefined;
    const connect: ParentCredentialsOptions['transport']['connect'] = async (options) => {
      connected = await enclave.connect(options);
      return connected;
    };
    await expect(provider({ transport: { connect }, path: '/a path' })()).rejects.toThrow();
    expect(connected?.destroyed).toBe(true);
  });

  it('a token that is no header is refused at once, unsaid', () => {
    expect(() => provider({ token: 'let\nmein' })).toThrow(TypeError);
    expect(() => provider({ token: 'let\nmein' })).not.toThrow(/mein/);
  });

  it('what is not HTTP: CREDENTIALS_UNAVAILABLE, without a byte of it', async () => {
    await listener?.drain({ timeout: 0 });
    const body = JSON.stringify(credentialsFor(MINUTE));
    const server = unixTransport({ folder, cid: 3 }).createServer({}, (socket) => {
      socket.on('error', () => undefined).end(body);
    });
    await server.listen({ port: CREDENTIALS_PORT });
    const error = await provider()().catch((reason) => reason);
    expect(error.code).toBe('CREDENTIALS_UNAVAILABLE');
    const hexadecimal = Buffer.from(secret)
      .toString('hex')
      .replace(/..(?=.)/g, '$& ');
    const shown = inspect(error, { depth: 9, showHidden: true, maxArrayLength: 10_000 });
    expect(shown).not.toContain(hexadecimal);
    expect(shown + JSON.stringify(error.cause)).not.toMatch(/rawPacket|secret access/);
    await server.drain({ timeout: 0 });
  });

  it('an answer cut off: CREDENTIALS_UNAVAILABLE', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"AccessKeyId":');
      setImmediate(() => response.destroy());
    };
    await expect(provider()()).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
  });

  const bodies: [string, unknown][] = [
    ['nothing', ''],
    ['HTML', '<html>'],
    ['half a JSON', JSON.stringify(credentialsFor(MINUTE)).slice(0, 60)],
    ['null', 'null'],
    ['a list', []],
    ['no AccessKeyId', { ...credentialsFor(MINUTE), AccessKeyId: undefined }],
    ['no SecretAccessKey', { ...credentialsFor(MINUTE), SecretAccessKey: '' }],
    ['no Token', { ...credentialsFor(MINUTE), Token: 7 }],
    ['no Expiration', { ...credentialsFor(MINUTE), Expiration: undefined }],
    ['an Expiration that is no date', { ...credentialsFor(MINUTE), Expiration: 'soon' }],
    ['a megabyte', JSON.stringify({ ...credentialsFor(MINUTE), filler: 'x'.repeat(1_000_000) })],
  ];
  it.each(bodies)('%s: CREDENTIALS_MALFORMED, without a word of the body', async (_, body) => {
    give(body);
    const error: Error & { code?: string } = await provider()().then(
      () => new Error('nothing thrown'),
      (reason) => reason,
    );
    expect(error.code).toBe('CREDENTIALS_MALFORMED');
    expect(JSON.stringify([error.message, error.stack, error.cause])).not.toMatch(/secret access|a session token/);
  });
});
