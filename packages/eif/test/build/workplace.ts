import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BuildEifOptions, BuiltEif, EifEntry } from '@nitro-enclaves/eif';
import { buildEif, lsEif } from '@nitro-enclaves/eif';

const MACHINE = { x86_64: 62, aarch64: 183 } as const;

/** A program's beginning: an ELF header for this CPU, and the path of an interpreter when one is given. */
export function elf(architecture: keyof typeof MACHINE = 'x86_64', interpreter?: string): Buffer {
  const header = Buffer.alloc(64 + 56);
  header.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  header.writeUInt16LE(MACHINE[architecture], 18);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  if (interpreter === undefined) return header;
  const path = Buffer.from(`${interpreter}\0`);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(3, 64);
  header.writeBigUInt64LE(BigInt(header.length), 64 + 8);
  header.writeBigUInt64LE(BigInt(path.length), 64 + 32);
  return Buffer.concat([header, path]);
}

/** What a kernel's file begins with; the rest is of no concern here. */
export function kernel(architecture: keyof typeof MACHINE = 'x86_64'): Buffer {
  const bytes = Buffer.alloc(4096, 0xaa);
  if (architecture === 'aarch64') {
    bytes.write('ARM\x64', 0x38, 'latin1');
    bytes.write('Linux version 6.6.79 (builder)\0', 1024, 'latin1');
    return bytes;
  }
  bytes.write('HdrS', 0x202, 'latin1');
  bytes.writeUInt16LE(0x400, 0x20e);
  bytes.write('6.6.79-test (builder@host)\0', 0x600, 'latin1');
  return bytes;
}

/** A folder of a test's own, with a kernel in it. */
export class Workplace {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'eif-build-'));

  constructor() {
    writeFileSync(this.path('bzImage'), kernel());
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** Writes a file and the folders on the way. */
  file(name: string, content: string | Uint8Array, mode = 0o644): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  link(name: string, target: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    symlinkSync(target, this.path(name));
  }

  /** Builds an image with the workplace's kernel. */
  build(options: Partial<BuildEifOptions>): Promise<BuiltEif> {
    return buildEif({
      output: this.path('out.eif'),
      kernel: this.path('bzImage'),
      cmdline: 'console=ttyS0',
      ...options,
    });
  }

  /** Builds an image and returns the files of its ramdisks by path. */
  async buildAndList(options: Partial<BuildEifOptions>): Promise<Map<string, EifEntry>> {
    const { path } = await this.build(options);
    return new Map((await lsEif(path)).entries.map((entry) => [entry.path, entry]));
  }

  /** Names of what lies at the top of the workplace. */
  names(): string[] {
    return readdirSync(this.folder).sort();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
