import { basename } from 'node:path';
import { VMADDR_CID_ANY, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { EmulatorError } from '../error.ts';

interface CommonRunOptions {
  /** 64 to 33554432. Default 1024. Not enforced; an image may be at most a quarter of it, as on Nitro. */
  readonly memoryMiB?: number | undefined;
  /** 1 to 1024. Default 2. Not enforced. */
  readonly cpuCount?: number | undefined;
  /** 4 to 4294967294; 0 or absent for one that the emulator chooses. */
  readonly enclaveCid?: number | undefined;
  /** Default: the image's or executable's base name, with a number if that is taken. */
  readonly enclaveName?: string | undefined;
  /** Makes the console readable, and PCR0, PCR1, PCR2 and PCR8 zero. Default false. */
  readonly debugMode?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An enclave out of an image. */
export interface RunImageOptions extends CommonRunOptions {
  /** Path of the image (EIF). */
  readonly eif: string;
}

/** An enclave out of a command of this machine. */
export interface RunCommandOptions extends CommonRunOptions {
  /** The executable and its arguments. */
  readonly command: readonly string[];
  /** Its whole environment. Default: a PATH, and nothing of this process's. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Default: this process's. */
  readonly workingDirectory?: string | undefined;
  /** Files and folders to measure into PCR2 beside the executable and arguments that are files. */
  readonly files?: readonly string[] | undefined;
  /** Where the executable is looked for. Default: this process's PATH. */
  readonly searchPath?: string | undefined;
}

/** What {@link Emulator.runEnclave} runs, and how. */
export type RunEnclaveOptions = RunImageOptions | RunCommandOptions;

/** nitro-cli takes no less (NE_MIN_MEM_REGION_SIZE and its own check). */
const LEAST_MEMORY_MIB = 64;
/** More than any instance has. */
const MOST_MEMORY_MIB = 32 * 1024 * 1024;
const MOST_CPUS = 1024;
const DEFAULT_MEMORY_MIB = 1024;
const DEFAULT_CPU_COUNT = 2;
const FIRST_FREE_CID = 16;
const MIB = 1024 * 1024;

/** Options with everything chosen. */
export interface EnclaveSettings {
  readonly memoryMiB: number;
  readonly cpuCount: number;
  readonly cid: number;
  readonly name: string;
  readonly debugMode: boolean;
}

function refuse(sentence: string): never {
  throw new EmulatorError('EMULATOR_ARGUMENT', sentence);
}

function chooseCid(wanted: number | undefined, taken: ReadonlySet<number>): number {
  if (wanted === undefined || wanted === 0) {
    let cid = FIRST_FREE_CID;
    while (taken.has(cid)) cid += 1;
    return cid;
  }
  if (!Number.isInteger(wanted) || wanted <= VMADDR_CID_PARENT || wanted >= VMADDR_CID_ANY) {
    refuse(`expected a CID from 4 to 4294967294 (0 to 3 are reserved), found ${wanted}`);
  }
  if (taken.has(wanted)) refuse(`expected a CID that no enclave has, found ${wanted}`);
  return wanted;
}

function chooseName(options: RunEnclaveOptions, taken: ReadonlySet<string>): string {
  const file = 'eif' in options ? basename(options.eif, '.eif') : basename(options.command[0] ?? '');
  const wanted = options.enclaveName ?? file;
  if (options.enclaveName === '') refuse('expected a name of the enclave, found an empty one');
  if (options.enclaveName !== undefined && taken.has(wanted))
    refuse(`expected a name that no enclave has, found ${wanted}`);
  let name = wanted;
  for (let number = 1; taken.has(name); number += 1) name = `${wanted}_${number}`;
  return name;
}

/**
 * Chooses what the options leave open.
 * @throws {EmulatorError} `EMULATOR_ARGUMENT`
 */
export function chooseSettings(
  options: RunEnclaveOptions,
  taken: { readonly cids: ReadonlySet<number>; readonly names: ReadonlySet<string> },
): EnclaveSettings {
  const { memoryMiB = DEFAULT_MEMORY_MIB, cpuCount = DEFAULT_CPU_COUNT, debugMode = false } = options;
  if (!Number.isInteger(memoryMiB) || memoryMiB < LEAST_MEMORY_MIB || memoryMiB > MOST_MEMORY_MIB) {
    refuse(`expected ${LEAST_MEMORY_MIB} to ${MOST_MEMORY_MIB} MiB of memory, found ${memoryMiB}`);
  }
  if (!Number.isInteger(cpuCount) || cpuCount < 1 || cpuCount > MOST_CPUS) {
    refuse(`expected 1 to ${MOST_CPUS} CPUs, found ${cpuCount}`);
  }
  return {
    memoryMiB,
    cpuCount,
    cid: chooseCid(options.enclaveCid, taken.cids),
    name: chooseName(options, taken.names),
    debugMode,
  };
}

/** @throws {EmulatorError} `EMULATOR_MEMORY` when the memory is less than four times the image, as nitro-cli's E26. */
export function expectRoomFor(imageBytes: number, memoryMiB: number): void {
  const needed = Math.ceil((4 * imageBytes) / MIB);
  if (memoryMiB >= needed) return;
  throw new EmulatorError(
    'EMULATOR_MEMORY',
    `expected at least ${needed} MiB of memory (four times the image), found ${memoryMiB} MiB`,
  );
}
