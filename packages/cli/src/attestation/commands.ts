import { Argument, InvalidArgumentError, Option } from 'commander';
import type { RegisterCommands } from '../program.ts';
import type { DecodeFlags } from './decode.ts';
import { decodeCommand } from './decode.ts';
import { DOCUMENT_ARGUMENT } from './document-source.ts';
import { addPolicyOptions } from './policy-options.ts';
import type { VerifyFlags } from './verify.ts';
import { verifyCommand } from './verify.ts';

function parseMoment(text: string): number {
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (!Number.isSafeInteger(time)) throw new InvalidArgumentError('expected a time such as 2026-05-17T09:30:11Z');
  return time;
}

function documentArgument(): Argument {
  return new Argument('[document]', DOCUMENT_ARGUMENT).default('-', 'standard input');
}

/** `attestation verify` and `attestation decode`. */
export const registerAttestation: RegisterCommands = (program, context) => {
  const attestation = program.command('attestation').description('verify and decode attestation documents');
  addPolicyOptions(
    attestation
      .command('verify')
      .description('verify a document against the AWS root and a policy, and account for each check')
      .addArgument(documentArgument()),
  )
    .addOption(
      new Option(
        '--archived',
        "verify at the document's own timestamp: whether it was genuine then, nothing about now",
      ).conflicts(['at', 'nonce', 'maxAge', 'clockSkew', 'allowAnyAge']),
    )
    .option('--at <time>', 'the evaluation time (default: now)', parseMoment)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 verified, 1 not genuine, 2 wrong policy or usage, 3 genuine but not what the policy asks for, 4 unreadable',
    )
    .action((source: string, flags: VerifyFlags) => verifyCommand(source, flags, context));
  attestation
    .command('decode')
    .description('show what a document says, without verifying anything')
    .addArgument(documentArgument())
    .option('--json', 'print JSON')
    .action((source: string, flags: DecodeFlags) => decodeCommand(source, flags, context));
};
