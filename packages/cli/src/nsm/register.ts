import { Argument, InvalidArgumentError, Option } from 'commander';
import { BYTES_NOTATION, parseBytes } from '../attestation/bytes-notation.ts';
import type { RegisterCommands } from '../program.ts';
import type { AttestFlags } from './attest.ts';
import { attestCommand } from './attest.ts';
import { describeCommand } from './describe.ts';
import type { PcrFlags } from './pcr.ts';
import { pcrCommand } from './pcr.ts';
import type { RandomFlags } from './random.ts';
import { RANDOM_ENCODINGS, randomCommand } from './random.ts';

function bytes(text: string): Uint8Array {
  try {
    return parseBytes(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function count(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

/** Most random bytes at a time: all of them are held in memory, and printed as one text. */
const MOST_RANDOM_BYTES = 64 * 1024 * 1024;

function randomLength(text: string): number {
  const length = count(text);
  if (length > MOST_RANDOM_BYTES) throw new InvalidArgumentError(`expected at most ${MOST_RANDOM_BYTES}`);
  return length;
}

function indices(text: string, previous: readonly number[] = []): readonly number[] {
  return [...previous, count(text)];
}

/** `nsm describe`, `nsm pcr`, `nsm attest` and `nsm random`. */
export const registerNsm: RegisterCommands = (program, context) => {
  const nsm = program
    .command('nsm')
    .description('ask the Nitro Secure Module of the enclave that this command runs in')
    .addHelpText('after', '\nIn an enclave of the emulator the emulated module answers, else /dev/nsm.');
  nsm
    .command('describe')
    .description('show module id, version, and which PCRs are locked')
    .option('--json', 'print JSON')
    .action((flags: { json?: true }) => describeCommand(flags, context));
  const pcr = nsm
    .command('pcr')
    .description('show PCRs and their locks; extend and lock those of the application')
    .addArgument(new Argument('[index...]', 'which PCRs (default: all)').argParser(indices))
    .option('--extend <bytes>', `measure these bytes into each named PCR first (${BYTES_NOTATION})`, bytes)
    .option('--lock', 'make each named PCR final')
    .option('--json', 'print JSON')
    .action((named: readonly number[], flags: PcrFlags) => {
      if (named.length === 0 && (flags.extend !== undefined || flags.lock)) {
        pcr.error('error: name the PCRs to extend or lock');
      }
      return pcrCommand(named, flags, context);
    });
  nsm
    .command('attest')
    .description('get a fresh attestation document, in base64')
    .option('--public-key <bytes>', `public key to put into it (${BYTES_NOTATION})`, bytes)
    .option('--user-data <bytes>', 'user data to put into it', bytes)
    .option('--nonce <bytes>', 'nonce to put into it', bytes)
    .option('-o, --output <file>', 'write the document itself to a file')
    .option('--json', 'print JSON')
    .action((flags: AttestFlags) => attestCommand(flags, context));
  nsm
    .command('random')
    .description('get random bytes')
    .addArgument(new Argument('<length>', 'number of bytes, at most 64 MiB').argParser(randomLength))
    .addOption(new Option('--encoding <encoding>', 'how to print them').choices(RANDOM_ENCODINGS).default('hex'))
    .option('--json', 'print JSON')
    .action((length: number, flags: RandomFlags) => randomCommand(length, flags, context));
};
