import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo, Server } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EXIT_CODE, run } from '../src/index.ts';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 30_000 });

let folder: string;
let echo: Server;
let child: ChildProcess | undefined;
let output: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxy-'));
  echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await once(echo.listen(0, '127.0.0.1'), 'listening');
  output = '';
});
afterEach(async () => {
  if (child?.exitCode === null) child.kill('SIGKILL');
  child = undefined;
  echo.close();
  await rm(folder, { recursive: true, force: true });
});

const config = (text: string) => writeFile(join(folder, 'proxy.yaml'), text);
const port = () => (echo.address() as AddressInfo).port;
const allowEcho = () => `allowlist: [{address: 127.0.0.1, port: ${port()}}]\n`;

/** The built command, as a service would run it, on the emulator's sockets. */
function start(...args: string[]): ChildProcess {
  child = spawn(process.execPath, [
    MAIN,
    'proxy',
    ...args,
    '--config',
    join(folder, 'proxy.yaml'),
    '--emulator',
    join(folder, 'vsock'),
  ]);
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (piece) => {
      output += piece;
    });
  return child;
}

async function enclave(vsockPort: number) {
  return unixTransport({ folder: join(folder, 'vsock'), cid: 16 }).connect({
    cid: 3,
    port: vsockPort,
    allowHalfOpen: true,
  });
}

async function exchange(vsockPort: number, text: string): Promise<string> {
  const socket = await enclave(vsockPort);
  socket.end(text);
  return (await buffer(socket)).toString();
}

/** Runs the command in this process; for what ends by itself. */
async function runHere(...args: string[]): Promise<{ code: number; out: string }> {
  let code: number = EXIT_CODE.OK;
  let out = '';
  const stream = { write: (text: string | Uint8Array) => (out += text) };
  await run(['proxy', ...args], {
    stdin: (async function* () {})(),
    stdout: stream,
    stderr: stream,
    env: {},
    cwd: folder,
    signal: AbortSignal.timeout(60_000),
    exitWith: (exitCode) => {
      code = exitCode;
    },
  });
  return { code, out };
}

describe.skipIf(!existsSync(MAIN))('nitro-enclaves proxy (built by `pnpm build`)', () => {
  it("serves AWS's command line with AWS's allow-list", async () => {
    await config(allowEcho());
    start('8000', '127.0.0.1', String(port()), '-w', '20', '-4');
    await eventually(() => expect(output).toContain('"event":"listening"'));
    expect(await exchange(8000, 'as its users expect')).toBe('as its users expect');
    expect(output).toContain('--num_workers has no effect');
  });

  it('drains on SIGTERM: a connection under way ends well, and the exit code is 0', async () => {
    await config(allowEcho());
    const process = start('8000', '127.0.0.1', String(port()));
    await eventually(() => expect(output).toContain('"event":"listening"'));
    const held = await enclave(8000);
    held.write('before ');
    await once(held, 'readable');
    process.kill('SIGTERM');
    await eventually(() => expect(output).toContain('"event":"draining"'));
    await expect(enclave(8000)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    held.end('and after');
    expect((await buffer(held)).toString()).toBe('before and after');
    if (process.exitCode === null) await once(process, 'exit');
    expect(process.exitCode).toBe(0);
  });

  it('reads its file again on SIGHUP, keeps connections, and stays as it was when the file is wrong', async () => {
    const route = (name: string, vsock: number) =>
      `  - {name: ${name}, from: {vsock: ${vsock}}, to: {host: 127.0.0.1, port: ${port()}}}\n`;
    await config(`${allowEcho()}routes:\n${route('a', 8000)}`);
    const process = start();
    await eventually(() => expect(output).toContain('"event":"listening"'));
    const held = await enclave(8000);
    held.write('still ');
    await once(held, 'readable');
    await config(`${allowEcho()}routes:\n${route('b', 8001)}`);
    process.kill('SIGHUP');
    await eventually(() => expect(output).toContain('"event":"reloaded"'));
    expect(await exchange(8001, 'new')).toBe('new');
    await expect(enclave(8000)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    held.end('here');
    expect((await buffer(held)).toString()).toBe('still here');
    await config('routes: nonsense');
    process.kill('SIGHUP');
    await eventually(() => expect(output).toContain('"event":"reload-failed"'));
    expect(await exchange(8001, 'as before')).toBe('as before');
  });

  it('takes a listening socket of systemd by its name, and none in its place once its route is gone', async () => {
    const passed = createServer();
    await once(passed.listen(0, '127.0.0.1'), 'listening');
    const { port: passedPort } = passed.address() as AddressInfo;
    const descriptor: number = Reflect.get(Reflect.get(passed, '_handle'), 'fd');
    const route = 'routes: [{name: web, from: {systemd: https}, to: {cid: 16, port: 443}}]\n';
    const other = 'routes: [{name: out, from: {vsock: 8000}, to: {connect: true}}]\n';
    await config(route);
    const inside = unixTransport({ folder: join(folder, 'vsock'), cid: 16 });
    const application = inside.createServer({}, (socket) => socket.end('inside'));
    await application.listen({ port: 443 });
    const args = [MAIN, 'proxy', '--config', join(folder, 'proxy.yaml'), '--emulator', join(folder, 'vsock')];
    const service = spawn('sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', process.execPath, ...args], {
      env: { ...process.env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'https' },
      stdio: ['ignore', 'pipe', 'pipe', descriptor],
    });
    child = service;
    for (const stream of [service.stdout, service.stderr])
      stream?.on('data', (piece) => {
        output += piece;
      });
    passed.close();
    await eventually(() => expect(output).toContain('"detail":"systemd:https"'));
    expect((await buffer(connect({ host: '127.0.0.1', port: passedPort }))).toString()).toBe('inside');
    await config(other);
    service.kill('SIGHUP');
    await eventually(() => expect(output).toContain('"event":"removed"'));
    await config(route);
    service.kill('SIGHUP');
    await eventually(() => expect(output).toContain('FileDescriptorName=), found none'));
    await application.drain({ timeout: 0 });
  });

  it('ends with one sentence on a system that has no AF_VSOCK', async () => {
    await config('routes: [{name: out, from: {vsock: 8000}, to: {connect: true}}]');
    const elsewhere = "data:text/javascript,Object.defineProperty(process, 'platform', { value: 'darwin' })";
    const args = ['--import', elsewhere, MAIN, 'proxy', '--config', join(folder, 'proxy.yaml')];
    const ended = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child = ended;
    const closed = once(ended, 'close');
    expect((await buffer(ended.stderr)).toString()).toMatch(/^error: expected linux.*found darwin.*\n$/);
    await closed;
    expect(ended.exitCode).toBe(EXIT_CODE.UNAVAILABLE);
  });

  it('serves metrics and a health check', async () => {
    await config(`${allowEcho()}metrics: 127.0.0.1:0\n`);
    start();
    await eventually(() => expect(output).toMatch(/"event":"metrics","port":\d+/));
    const at = `http://127.0.0.1:${/"event":"metrics","port":(\d+)/.exec(output)?.[1]}`;
    await eventually(async () => expect(await (await fetch(`${at}/healthz`)).text()).toBe('serving\n'));
    expect(await (await fetch(`${at}/metrics`)).text()).toContain('nitro_proxy_connections_open');
    expect((await fetch(`${at}/other`)).status).toBe(404);
  });
});

describe('nitro-enclaves proxy ends at once', () => {
  it('with --check, and says what is in the file', async () => {
    await config(allowEcho());
    expect(await runHere('--check', '--config', 'proxy.yaml')).toEqual({
      code: EXIT_CODE.OK,
      out: 'proxy.yaml: 0 routes, 1 allowed targets\n',
    });
  });

  it.each([
    [
      'a target that is not on the list',
      ['8000', 'example.com', '443', '--config', 'proxy.yaml'],
      EXIT_CODE.USAGE,
      'example.com port 443 on the allow-list',
    ],
    ['half of the command line', ['8000', 'example.com', '--config', 'proxy.yaml'], EXIT_CODE.USAGE, 'together'],
    ['a port that is none', ['0', 'example.com', '443'], EXIT_CODE.USAGE, 'expected a number'],
    ['a remote port that is none', ['8000', 'example.com', '70000'], EXIT_CODE.USAGE, 'expected a number'],
    ['a file that is not there', ['--config', 'none.yaml'], EXIT_CODE.UNAVAILABLE, 'none.yaml'],
    ["AWS's file and no target", ['--config', 'proxy.yaml'], EXIT_CODE.USAGE, 'found no routes in proxy.yaml'],
  ])('with %s', async (_, args, code, text) => {
    await config(allowEcho());
    const ended = await runHere(...args);
    expect(ended.code).toBe(code);
    expect(ended.out).toContain(text);
  });

  it('with a file that is wrong', async () => {
    await config('routes: [{name: x}]');
    expect(await runHere('--config', 'proxy.yaml')).toMatchObject({
      code: EXIT_CODE.USAGE,
      out: expect.stringContaining('routes.0'),
    });
  });
});
