import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EnclaveIdentity } from '@nitro-enclaves/emulator';
import { createNitroPki, EmulatedNsm, serveNsm } from '@nitro-enclaves/emulator';
import type { Enclave } from '@nitro-enclaves/emulator/enclave';
import { openEnclave } from '@nitro-enclaves/emulator/enclave';
import { NSM_CONFORMANCE } from '@nitro-enclaves/nsm/conformance';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openSocketNsmDevice } from '../src/enclave/socket-nsm-device.ts';

const IDENTITY: EnclaveIdentity = {
  instanceId: 'i-1234567890abcdef0',
  moduleId: 'i-1234567890abcdef0-enc0198bc571bf3e785',
  measurements: { PCR0: 'a0'.repeat(48), PCR1: 'b1'.repeat(48), PCR2: 'c2'.repeat(48) },
};

const pki = await createNitroPki({ seed: 'enclave' });

/** A place as the hypervisor makes it, and what serves it. */
async function makePlace({ cid }: { cid: number }) {
  const root = await mkdtemp(join(tmpdir(), 'ne-'));
  const folder = join(root, `e${cid}`);
  await mkdir(folder);
  await mkdir(join(root, 'vsock'));
  await symlink('../vsock', join(folder, 'vsock'));
  await writeFile(join(folder, 'enclave.json'), JSON.stringify({ cid }));
  const device = new EmulatedNsm({ pki, identity: IDENTITY });
  const server = await serveNsm(device, join(folder, 'nsm.sock'));
  return {
    folder,
    parent: unixTransport({ folder: join(root, 'vsock'), cid: VMADDR_CID_PARENT }),
    env: { NITRO_ENCLAVES_EMULATOR: folder },
    server,
    remove: async () => {
      await server.close();
      await rm(root, { recursive: true });
    },
  };
}

type Place = Awaited<ReturnType<typeof makePlace>>;

describe('the NSM over a Unix socket and the conformance suite of NSM devices', () => {
  let place: Place;
  let enclave: Enclave;
  beforeAll(async () => {
    place = await makePlace({ cid: 16 });
    enclave = await openEnclave({ env: place.env });
  });
  afterAll(() => place.remove());

  it.each(NSM_CONFORMANCE.map(({ name, run }) => [name, run] as const))('%s', async (_, run) => {
    await run(await openSocketNsmDevice(join(place.folder, 'nsm.sock')));
    // The module is the enclave's, not the connection's: another one sees the same registers.
    expect((await enclave.nsm.describeNsm()).moduleId).toBe(IDENTITY.moduleId);
  });
});

describe('openEnclave', () => {
  let place: Place;
  beforeEach(async () => {
    place = await makePlace({ cid: 17 });
  });
  afterEach(() => place.remove());

  it('finds the NSM and the transport of the emulated enclave', async () => {
    await using enclave = await openEnclave({ env: place.env });
    expect(enclave.place).toBe('emulator');
    expect(enclave.transport.localCid).toBe(17);
    await expect(enclave.nsm.describeNsm()).resolves.toMatchObject({ moduleId: IDENTITY.moduleId });
  });

  it('says what to do where there is no emulator', async () => {
    await expect(openEnclave({ env: {} })).rejects.toMatchObject({
      code: 'EMULATOR_ABSENT',
      message: expect.stringContaining('run-enclave'),
    });
    await expect(openEnclave({ env: { NITRO_ENCLAVES_EMULATOR: '' } })).rejects.toMatchObject({
      code: 'EMULATOR_ABSENT',
    });
  });

  it('does not take the hardware when the emulator has ended', async () => {
    const env = { NITRO_ENCLAVES_EMULATOR: join(place.folder, 'gone') };
    await expect(openEnclave({ env, hardware: true })).rejects.toMatchObject({ code: 'EMULATOR_ABSENT' });
  });

  it('opens the devices of the kernel only when told to', async () => {
    await expect(openEnclave({ env: {}, hardware: true })).rejects.toMatchObject({ code: 'NSM_UNAVAILABLE' });
  });

  it('rejects requests once it is closed, and those under way when the emulator ends', async () => {
    const first = await openEnclave({ env: place.env });
    await first.close();
    await expect(first.nsm.describeNsm()).rejects.toMatchObject({ code: 'NSM_CLOSED' });
    const second = await openEnclave({ env: place.env });
    await place.server.close();
    await expect(second.nsm.describeNsm()).rejects.toMatchObject({ code: 'NSM_DEVICE_FAILED' });
  });
});

describe('the transport of an emulated enclave', () => {
  let place: Place;
  let enclave: Enclave;
  beforeEach(async () => {
    place = await makePlace({ cid: 18 });
    enclave = await openEnclave({ env: place.env });
  });
  afterEach(async () => {
    await enclave.close();
    await place.remove();
  });

  it('reaches its parent, which sees its CID', async () => {
    const server = place.parent.createServer({}, (socket) => socket.end(`you are ${socket.remoteCid}`));
    await server.listen({ port: 8000 });
    const socket = await enclave.transport.connect({ cid: VMADDR_CID_PARENT, port: 8000 });
    expect(await socket.setEncoding('utf8').toArray()).toEqual(['you are 18']);
    await server.drain();
  });

  it('is reached by its parent', async () => {
    const server = enclave.transport.createServer({}, (socket) => socket.pipe(socket));
    await server.listen({ port: 5000 });
    const socket = await place.parent.connect({ cid: 18, port: 5000 });
    socket.end('hello');
    expect(await socket.setEncoding('utf8').toArray()).toEqual(['hello']);
    await server.drain();
  });

  it('neither reaches other enclaves nor is reached by them', async () => {
    const other = unixTransport({ folder: join(place.folder, 'vsock'), cid: 19 });
    const listener = other.createServer({}, (socket) => socket.end('no'));
    await listener.listen({ port: 5000 });
    await expect(enclave.transport.connect({ cid: 19, port: 5000 })).rejects.toMatchObject({ code: 'ENODEV', cid: 19 });
    const server = enclave.transport.createServer({}, (socket) => socket.end('secret'));
    await server.listen({ port: 6000 });
    const socket = await other.connect({ cid: 18, port: 6000 });
    socket.on('error', () => undefined);
    expect(await socket.toArray().catch(() => [])).toEqual([]);
    await server.drain();
    await listener.drain();
  });
});

describe('the socket of the NSM', () => {
  let place: Place;
  beforeEach(async () => {
    place = await makePlace({ cid: 20 });
  });
  afterEach(() => place.remove());

  it('cuts a connection that announces more than a request can have, and serves the others', async () => {
    const socket = connect(join(place.folder, 'nsm.sock'));
    socket.on('error', () => undefined);
    socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3));
    expect(await socket.toArray()).toEqual([]);
    await using enclave = await openEnclave({ env: place.env });
    await expect(enclave.nsm.describeNsm()).resolves.toBeDefined();
  });

  it('fails the requests of a client whose server sends what is no response', async () => {
    const path = join(place.folder, 'bad.sock');
    const server = createServer((socket) => socket.end(Uint8Array.of(0xff, 0xff, 0xff, 0xff)));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const device = await openSocketNsmDevice(path);
    await expect(device.request(Uint8Array.of(0))).rejects.toMatchObject({ code: 'NSM_DEVICE_FAILED' });
    server.close();
  });
});
