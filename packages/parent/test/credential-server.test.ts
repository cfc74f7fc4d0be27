import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentCredentials } from '@nitro-enclaves/kms';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CredentialServed, CredentialServer, CredentialServerOptions } from '../src/index.ts';
import { allowLongTermCredentials, startCredentialServer } from '../src/index.ts';

const token = 'a token of the first enclave';
const otherToken = 'a token of the second enclave';
const secret = 'wJalrXUtnFEMI';
const credentialsOf =
  (role: string, expiresIn = 3_600_000) =>
  async () => ({
    accessKeyId: `ASIA${role}`,
    secretAccessKey: secret,
    sessionToken: 'session',
    expiration: new Date(Date.now() + expiresIn),
  });

let folder: string;
let server: CredentialServer | undefined;
let served: CredentialServed[];

const start = async (options: Partial<CredentialServerOptions> = {}) => {
  server = await startCredentialServer({
    transport: unixTransport({ folder, cid: 3 }),
    grants: [
      { cid: 16, token },
      { cid: 17, token: otherToken, credentials: credentialsOf('OTHER') },
    ],
    credentials: credentialsOf('INSTANCE'),
    onRequest: (request) => served.push(request),
    ...options,
  });
};
const ask = (cid: number, withToken?: string) =>
  parentCredentials({
    transport: unixTransport({ folder, cid }),
    timeout: 5000,
    ...(withToken === undefined ? {} : { token: withToken }),
  })();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parent-'));
  served = [];
});
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
  await rm(folder, { recursive: true });
});

describe('the credential server', () => {
  it("serves the instance's credentials to an enclave with its token", async () => {
    await start();
    expect(await ask(16, token)).toMatchObject({
      accessKeyId: 'ASIAINSTANCE',
      secretAccessKey: secret,
      sessionToken: 'session',
    });
    expect(served).toMatchObject([{ cid: 16, status: 200 }]);
  });

  it('serves another enclave credentials of its own', async () => {
    await start();
    expect(await ask(17, otherToken)).toMatchObject({ accessKeyId: 'ASIAOTHER' });
  });

  it('serves every enclave with the token where the grant is for any', async () => {
    await start({ grants: [{ cid: 'any', token }] });
    expect(await ask(99, token)).toMatchObject({ accessKeyId: 'ASIAINSTANCE' });
  });

  const refused: [string, number, string | undefined, number][] = [
    ['a CID without a grant', 18, token, 403],
    ["another enclave's token", 16, otherToken, 401],
    ['no token', 16, undefined, 401],
    ['a token that begins like the right one', 16, token.slice(0, -1), 401],
    ['a token that goes on', 16, `${token}!`, 401],
  ];
  it.each(refused)('refuses %s', async (_, cid, withToken, status) => {
    await start();
    await expect(ask(cid, withToken)).rejects.toMatchObject({ code: 'CREDENTIALS_REFUSED' });
    expect(served).toMatchObject([{ cid, status }]);
  });

  it('refuses more requests than the rate of one CID, and serves the other CID all the same', async () => {
    await start({ rateLimit: { requests: 2, intervalMs: 60_000 } });
    await ask(16, token);
    await ask(16, 'a wrong token, which counts too').catch(() => undefined);
    await expect(ask(16, token)).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
    expect(served.at(-1)).toMatchObject({ status: 429 });
    expect(await ask(17, otherToken)).toMatchObject({ accessKeyId: 'ASIAOTHER' });
  });

  it('serves an enclave although another holds all the connections that it can', async () => {
    await start();
    const greedy = unixTransport({ folder, cid: 18 });
    const held = await Promise.all(Array.from({ length: 100 }, () => greedy.connect({ cid: 3, port: 8001 })));
    for (const socket of held) socket.on('error', () => undefined).write('GET');
    expect(await ask(16, token)).toMatchObject({ accessKeyId: 'ASIAINSTANCE' });
    for (const socket of held) socket.destroy();
  });

  it('does not serve credentials that never expire', async () => {
    const longTerm = async () => ({ accessKeyId: 'AKIA', secretAccessKey: secret });
    await start({ credentials: longTerm });
    await expect(ask(16, token)).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
  });

  it('serves them when told so by name', async () => {
    const longTerm = async () => ({ accessKeyId: 'AKIA', secretAccessKey: secret });
    await start({ credentials: longTerm, [allowLongTermCredentials]: true });
    const { sessionToken, accessKeyId } = await ask(16, token);
    expect([accessKeyId, sessionToken]).toEqual(['AKIA', undefined]);
  });

  it('answers 503 while the instance has none, and serves once it has', async () => {
    let isThere = false;
    await start({
      credentials: async () => {
        if (!isThere) throw new Error(`no role at ${secret}`);
        return credentialsOf('LATE')();
      },
    });
    await expect(ask(16, token)).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
    isThere = true;
    expect(await ask(16, token)).toMatchObject({ accessKeyId: 'ASIALATE' });
  });

  it('tells of requests without secrets or tokens', async () => {
    await start();
    await ask(16, token);
    await ask(16, otherToken).catch(() => undefined);
    expect(JSON.stringify(served)).not.toMatch(/wJalr|session|a token of/);
  });

  const wrong: [string, Partial<CredentialServerOptions>][] = [
    ['no grants', { grants: [] }],
    ['a short token', { grants: [{ cid: 16, token: 'short' }] }],
    ["the parent's CID", { grants: [{ cid: 3, token }] }],
    ['a CID that is no integer', { grants: [{ cid: 16.5, token }] }],
    ['a rate of nothing', { rateLimit: { requests: 0, intervalMs: 1000 } }],
  ];
  it.each(wrong)('does not start with %s', async (_, options) => {
    await expect(start(options)).rejects.toThrow(RangeError);
  });

  it('stops listening when its signal is aborted', async () => {
    const stop = new AbortController();
    await start({ signal: stop.signal });
    stop.abort();
    await expect(ask(16, token)).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
  });
});
