import type { AttestedAction, EifPcrs, KmsPolicy, KmsPolicyStatement, PolicyPcrs } from '@nitro-enclaves/eif';
import {
  createKmsPolicyStatement,
  measureEif,
  pcr3FromRoleArn,
  pcr4FromInstanceId,
  toCdk,
  toTerraform,
} from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { pathOf, writeJson } from '../output.ts';
import type { RegisterCommands } from '../program.ts';
import { withProgressBar } from '../progress-bar.ts';
import { registerSimulate } from './simulate.ts';

type Format = 'json' | 'terraform' | 'cdk';
type ImagePcr = 0 | 1 | 2 | 8;

interface KmsPolicyCommandOptions {
  readonly principal?: readonly string[];
  readonly action?: readonly AttestedAction[];
  readonly pcrs?: readonly ImagePcr[];
  readonly roleArn?: string;
  readonly instanceId?: string;
  readonly sid?: string;
  readonly format: Format;
  readonly json?: boolean;
}

function parseIndexes(text: string): ImagePcr[] {
  return text.split(',').map((item) => {
    const index = [0, 1, 2, 8].find((known) => String(known) === item.trim());
    if (index === undefined) throw new InvalidArgumentError('expected some of 0, 1, 2 and 8 with commas between them');
    return index as ImagePcr;
  });
}

/** The image's PCRs that the statement asks for: all there are, or the chosen ones, of which none may be missing. */
function chosenPcrs(measured: EifPcrs, indexes: readonly ImagePcr[] | undefined): PolicyPcrs {
  const all: Readonly<Record<ImagePcr, string | undefined>> = {
    0: measured.PCR0,
    1: measured.PCR1,
    2: measured.PCR2,
    8: measured.PCR8,
  };
  const wanted = indexes ?? ([0, 1, 2, 8] as const).filter((index) => all[index] !== undefined);
  // An unsigned image's PCR8 is zero on the platform: the statement's maker refuses it as such.
  return Object.fromEntries(wanted.map((index) => [index, all[index] ?? '0'.repeat(96)]));
}

const FORMATS: Readonly<Record<Format, (statement: KmsPolicyStatement) => string>> = {
  json: (statement) => `${JSON.stringify(statement, undefined, 2)}\n`,
  terraform: toTerraform,
  cdk: toCdk,
};

function createPolicy(measured: EifPcrs, principal: readonly string[], options: KmsPolicyCommandOptions): KmsPolicy {
  const { action, pcrs, roleArn, instanceId, sid } = options;
  return createKmsPolicyStatement({
    pcrs: {
      ...chosenPcrs(measured, pcrs),
      ...(roleArn === undefined ? {} : { 3: pcr3FromRoleArn(roleArn) }),
      ...(instanceId === undefined ? {} : { 4: pcr4FromInstanceId(instanceId) }),
    },
    principals: principal,
    ...(action === undefined ? {} : { actions: action }),
    ...(sid === undefined ? {} : { sid }),
  });
}

function writePolicy(context: CommandContext, policy: KmsPolicy, { format, json }: KmsPolicyCommandOptions): void {
  if (json) writeJson(context, policy);
  else context.stdout.write(FORMATS[format](policy.statement));
  for (const { code, message } of policy.warnings) context.stderr.write(`warning: ${message} (${code})\n`);
}

/** Adds `kms-policy`. */
export const registerKmsPolicy: RegisterCommands = (program, context) => {
  const kmsPolicy = program
    .command('kms-policy')
    // `simulate` has options of the same names: those after it are its own.
    .enablePositionalOptions()
    .description('print the KMS key policy statement that lets only enclaves of an image use a key')
    .argument('<image>', 'the image file')
    .option('--principal <arn...>', 'the roles (or users, or accounts) that the enclave acts as; required')
    .option('--action <action...>', 'what is allowed (default: Decrypt, GenerateDataKey, GenerateDataKeyPair)')
    .option('--pcrs <indexes>', "which of the image's PCRs are asked for: some of 0,1,2,8 (default: all)", parseIndexes)
    .option('--role-arn <arn>', "ask for PCR3 too, of the parent instance's IAM role")
    .option('--instance-id <id>', 'ask for PCR4 too, of the parent instance')
    .option('--sid <name>', 'the name of the statement')
    .addOption(new Option('--format <format>', 'how to write it').choices(['json', 'terraform', 'cdk']).default('json'))
    .addOption(new Option('--json', 'print the statement and the warnings as JSON').conflicts('format'))
    .action(async (image: string, options: KmsPolicyCommandOptions, command: Command) => {
      const { principal } = options;
      // Not `requiredOption`: subcommands would require it, too.
      if (principal === undefined) command.error("error: required option '--principal <arn...>' not specified");
      const measured = await withProgressBar(context, 'measuring', (onProgress) =>
        measureEif(pathOf(context, image), { signal: context.signal, onProgress }),
      );
      writePolicy(context, createPolicy(measured, principal, options), options);
    });
  registerSimulate(kmsPolicy, context);
};
