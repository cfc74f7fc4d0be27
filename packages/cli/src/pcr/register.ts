import { readFile } from 'node:fs/promises';
import {
  extendPcr,
  pcr3FromRoleArn,
  pcr4FromInstanceId,
  pcr8FromCertificate,
  pcrOfFile,
  ZERO_PCR,
} from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { pathOf, writeJson, writeLines } from '../output.ts';
import type { RegisterCommands } from '../program.ts';

interface PcrOptions {
  readonly input?: string;
  readonly signingCertificate?: string;
  readonly roleArn?: string;
  readonly instanceId?: string;
  readonly extend?: readonly string[];
  readonly from: string;
  readonly json?: boolean;
}

/** What is extended: a file's bytes, or those that `hex:` writes out. */
async function extension(context: CommandContext, value: string, command: Command): Promise<Uint8Array> {
  if (!value.startsWith('hex:')) return readFile(pathOf(context, value));
  if (!/^hex:(?:[0-9a-fA-F]{2})*$/.test(value))
    command.error(`error: expected pairs of hexadecimal digits in ${value}`);
  return Buffer.from(value.slice(4), 'hex');
}

async function calculate(
  context: CommandContext,
  options: PcrOptions,
  command: Command,
): Promise<Record<string, string>> {
  const { input, signingCertificate, roleArn, instanceId, extend } = options;
  const pcrs: Record<string, string> = {};
  if (input !== undefined) pcrs['PCR'] = await pcrOfFile(pathOf(context, input), { signal: context.signal });
  if (roleArn !== undefined) pcrs['PCR3'] = pcr3FromRoleArn(roleArn);
  if (instanceId !== undefined) pcrs['PCR4'] = pcr4FromInstanceId(instanceId);
  if (signingCertificate !== undefined) {
    pcrs['PCR8'] = pcr8FromCertificate(await readFile(pathOf(context, signingCertificate)));
  }
  if (extend !== undefined) {
    let pcr = options.from;
    for (const value of extend) pcr = extendPcr(pcr, await extension(context, value, command));
    pcrs['Extended'] = pcr;
  }
  return pcrs;
}

/** Adds `pcr`. */
export const registerPcr: RegisterCommands = (program, context) => {
  const pcr = program
    .command('pcr')
    .description('calculate PCRs that do not come from an image')
    .option('--input <file>', "the PCR of any file's bytes, as nitro-cli pcr --input")
    .option('--signing-certificate <file>', 'PCR8 of a signing certificate, PEM or DER')
    .option('--role-arn <arn>', "PCR3 of the parent instance's IAM role")
    .option('--instance-id <id>', 'PCR4 of the parent instance')
    .option(
      '--extend <data...>',
      'extend a PCR (16 to 31) with the bytes of these files, or of hex:…, one after the other',
    )
    .addOption(new Option('--from <hex>', 'what the extended PCR holds before').default(ZERO_PCR, '48 zero bytes'))
    .option('--json', 'print JSON, in the shape of nitro-cli pcr')
    .action(async (options: PcrOptions) => {
      if (options.extend === undefined && pcr.getOptionValueSource('from') === 'cli') {
        pcr.error('error: --from is what --extend extends: name that too');
      }
      const pcrs = await calculate(context, options, pcr);
      if (Object.keys(pcrs).length === 0) pcr.error('error: name at least one thing to calculate a PCR from');
      if (options.json) writeJson(context, pcrs);
      else
        writeLines(
          context,
          Object.entries(pcrs).map(([name, value]) => `${name} ${value}`),
        );
    });
};
