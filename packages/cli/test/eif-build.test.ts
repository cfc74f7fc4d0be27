import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandContext, ExitCode } from '@nitro-enclaves/cli';
import { EXIT_CODE, run } from '@nitro-enclaves/cli';
import { lsEif, measureEif, readEif, verifyEif } from '@nitro-enclaves/eif';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ociLayout, writeFolder, writeTar } from '../../eif/test/build/image-writer.ts';
import { elf, kernel } from '../../eif/test/build/workplace.ts';
import { createSigner } from '../../eif/test/openssl.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-build-'));
  mkdirSync(join(folder, 'root'));
  writeFileSync(join(folder, 'root/app'), elf());
  chmodSync(join(folder, 'root/app'), 0o755);
  writeFileSync(join(folder, 'bzImage'), kernel());
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

async function build(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const [out, err]: [string[], string[]] = [[], []];
  let code: ExitCode = EXIT_CODE.OK;
  const context: CommandContext = {
    stdin: (async function* () {})(),
    stdout: { write: (text) => out.push(text.toString()) },
    stderr: { write: (text) => err.push(text.toString()) },
    env,
    cwd: folder,
    signal: new AbortController().signal,
    exitWith: (exit) => {
      code = exit;
    },
  };
  await run(['eif', 'build', '--output', 'out.eif', ...args], context);
  return { code, out: out.join(''), err: err.join('') };
}

const KERNEL = ['--kernel', 'bzImage', '--cmdline', 'console=ttyS0'];
const ROOT = [...KERNEL, '--rootfs', 'root'];
const output = (): string => join(folder, 'out.eif');

describe('eif build', () => {
  it('prints the PCRs of what it has built', async () => {
    const { out, err, code } = await build([...ROOT, '--', '/app', '--flag']);
    const pcrs = await measureEif(output());
    expect(out).toBe(`PCR0 ${pcrs.PCR0}\nPCR1 ${pcrs.PCR1}\nPCR2 ${pcrs.PCR2}\n`);
    expect(err).toBe('');
    expect(code).toBe(EXIT_CODE.OK);
  });

  it('prints them in the shape of nitro-cli build-enclave', async () => {
    const { out } = await build([...ROOT, '--json', '--', '/app']);
    const pcrs = await measureEif(output());
    expect(JSON.parse(out)).toEqual({ Measurements: { HashAlgorithm: 'Sha384 { ... }', ...pcrs } });
  });

  it('takes container images', async () => {
    const files = ociLayout({ layers: [{ entries: [{ name: 'app', content: elf(), mode: 0o755 }] }], name: 'shop:1' });
    writeFolder(join(folder, 'layout'), files);
    writeTar(join(folder, 'layout.tar'), files);
    const first = await build([...KERNEL, '--image', 'layout', '--json']);
    const second = await build([...KERNEL, '--image', 'layout.tar', '--reference', 'shop:1', '--json']);
    expect(second.out).toBe(first.out);
    expect((await readEif(output())).metadata?.imageName).toBe('shop');
  });

  it('hands every option on', async () => {
    writeFileSync(join(folder, 'custom.json'), '{"team":"payments"}');
    writeFileSync(join(folder, 'nsm.ko'), elf());
    const { code, err } = await build([
      ...[...ROOT, '--arch', 'x86_64', '--module', 'nsm.ko', '--preserve-attributes', '--no-heartbeat'],
      ...['--name', 'pay', '--image-version', '2', '--metadata', 'custom.json', '--build-time', '2024-01-02T03:04:05Z'],
      ...[
        '--env',
        'A=1',
        '--env',
        'B=2',
        '--workdir',
        '/srv',
        '--user',
        '0:0',
        '--exit-status-port',
        '9001',
        '--',
        '/app',
      ],
    ]);
    expect(err).toBe('');
    expect(code).toBe(EXIT_CODE.OK);
    const { eif, entries } = await lsEif(output());
    expect(eif.metadata).toMatchObject({
      imageName: 'pay',
      imageVersion: '2',
      buildTime: '2024-01-02T03:04:05+00:00',
      customMetadata: { team: 'payments' },
    });
    expect(entries.map(({ path }) => path)).toEqual(expect.arrayContaining(['modules/nsm.ko', 'rootfs/srv']));
    const bytes = readFileSync(output()).toString('latin1');
    expect(bytes).toContain('env=A=1\0env=B=2\0');
    expect(bytes).toContain('heartbeat=0\0exit-status-port=9001\0');
  });

  it("takes nitro-cli's blobs, its init among them, from the folder that nitro-cli's variable names", async () => {
    mkdirSync(join(folder, 'blobs'));
    mkdirSync(join(folder, 'root/bin'));
    writeFileSync(join(folder, 'blobs/bzImage'), kernel());
    writeFileSync(join(folder, 'blobs/cmdline'), 'reboot=k');
    writeFileSync(join(folder, 'blobs/init'), elf());
    const env = { NITRO_CLI_BLOBS: join(folder, 'blobs') };
    const { code, err } = await build(['--rootfs', 'root', '--init', 'blobs', '--user', '7', '--', '/app'], env);
    expect(code).toBe(EXIT_CODE.OK);
    expect(err).toBe('warning: the given init runs the program as root (USER_IGNORED)\n');
    expect((await lsEif(output())).entries.map(({ path }) => path)).toEqual(expect.arrayContaining(['cmd', 'env']));
  });

  it('takes the build time from SOURCE_DATE_EPOCH', async () => {
    await build([...ROOT, '--', '/app'], { SOURCE_DATE_EPOCH: '1700000000' });
    expect((await readEif(output())).metadata?.buildTime).toBe('2023-11-14T22:13:20+00:00');
    const { err } = await build([...ROOT, '--', '/app'], { SOURCE_DATE_EPOCH: 'now' });
    expect(err).toContain('BUILD_METADATA');
  });

  it('signs', async () => {
    const { certificate, key } = await createSigner(folder, 'secp384r1', 3);
    writeFileSync(join(folder, 'signer.pem'), certificate);
    writeFileSync(join(folder, 'signer.key'), key);
    const { out } = await build([
      ...[...ROOT, '--signing-certificate', 'signer.pem', '--private-key', 'signer.key', '--json', '--', '/app'],
    ]);
    await verifyEif(output());
    expect(JSON.parse(out)).toMatchObject({ Measurements: { PCR8: (await measureEif(output())).PCR8 } });
  });

  it('says what is wrong, leaves no image, and exits accordingly', async () => {
    const cases: [readonly string[], RegExp, ExitCode][] = [
      [[...ROOT, '--', '/missing'], /^error: \/missing: .*\(BUILD_ENTRYPOINT_MISSING\)\n$/, EXIT_CODE.BAD_EVIDENCE],
      [ROOT, /BUILD_COMMAND_MISSING/, EXIT_CODE.USAGE],
      [[...KERNEL, '--', '/app'], /BUILD_OPTION/, EXIT_CODE.USAGE],
      [[...KERNEL, '--rootfs', 'nowhere', '--', '/app'], /ENOENT/, EXIT_CODE.UNAVAILABLE],
      [[...ROOT, '--arch', 'riscv', '--', '/app'], /x86_64/, EXIT_CODE.USAGE],
      [[...ROOT, '--exit-status-port', 'x', '--', '/app'], /vsock port/, EXIT_CODE.USAGE],
      [[...ROOT, '--private-key', 'k', '--', '/app'], /--signing-certificate/, EXIT_CODE.USAGE],
      [[...ROOT, '--metadata', 'bzImage', '--', '/app'], /expected JSON/, EXIT_CODE.USAGE],
    ];
    for (const [args, message, exit] of cases) {
      const { code, out, err } = await build(args);
      expect(err).toMatch(message);
      expect(code).toBe(exit);
      expect(out).toBe('');
    }
    expect(readdirSync(folder).sort()).toEqual(['bzImage', 'root']);
  });
});
