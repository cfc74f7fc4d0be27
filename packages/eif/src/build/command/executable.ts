import type { EifArchitecture } from '../../format/header.ts';
import { failBuild } from '../error.ts';

/** What a program's first bytes say. */
export type ExecutableFormat =
  | {
      readonly kind: 'elf';
      readonly architecture: EifArchitecture | undefined;
      readonly interpreter: string | undefined;
    }
  /** A script: the interpreter of its `#!` line. */
  | { readonly kind: 'script'; readonly interpreter: string }
  | { readonly kind: 'unknown' };

/** How much of a program has to be read: the kernel itself looks at 256 bytes; ELF program headers follow their header. */
export const EXECUTABLE_HEAD_BYTES = 65_536;

const SCRIPT_LINE_BYTES = 256;
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const PT_INTERP = 3;
const MAX_INTERPRETER_BYTES = 4096;
const MACHINE: ReadonlyMap<number, EifArchitecture> = new Map([
  [62, 'x86_64'],
  [183, 'aarch64'],
]);

function scriptInterpreter(head: Buffer): string {
  const line = head.subarray(2, SCRIPT_LINE_BYTES).toString('latin1').split('\n')[0] ?? '';
  return line.trim().split(/[ \t]/)[0] ?? '';
}

function elfInterpreter(head: Buffer): string | undefined {
  const start = Number(head.readBigUInt64LE(32));
  const entryBytes = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  if (entryBytes !== PROGRAM_HEADER_BYTES) {
    failBuild(
      'BUILD_ENTRYPOINT_FORMAT',
      `expected ELF program headers of ${PROGRAM_HEADER_BYTES} bytes, found ${entryBytes}`,
    );
  }
  for (let index = 0; index < count; index += 1) {
    const at = start + index * PROGRAM_HEADER_BYTES;
    if (at + PROGRAM_HEADER_BYTES > head.length) break;
    if (head.readUInt32LE(at) !== PT_INTERP) continue;
    const offset = Number(head.readBigUInt64LE(at + 8));
    const size = Number(head.readBigUInt64LE(at + 32));
    if (size === 0 || size > MAX_INTERPRETER_BYTES || offset + size > head.length) {
      failBuild('BUILD_ENTRYPOINT_FORMAT', "expected the path of the ELF interpreter near the file's start");
    }
    return head.toString('latin1', offset, offset + size - 1);
  }
  return undefined;
}

/** Tells a program's kind from its first {@link EXECUTABLE_HEAD_BYTES} bytes. */
export function executableFormat(bytes: Uint8Array): ExecutableFormat {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (head.toString('latin1', 0, 2) === '#!') return { kind: 'script', interpreter: scriptInterpreter(head) };
  const isElf64 = head.toString('latin1', 0, 6) === '\x7fELF\x02\x01' && head.length >= ELF_HEADER_BYTES;
  if (isElf64) {
    return { kind: 'elf', architecture: MACHINE.get(head.readUInt16LE(18)), interpreter: elfInterpreter(head) };
  }
  return head.toString('latin1', 0, 4) === '\x7fELF'
    ? { kind: 'elf', architecture: undefined, interpreter: undefined }
    : { kind: 'unknown' };
}
