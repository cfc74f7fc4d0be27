import { readFile } from 'node:fs/promises';
import { signEif } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { pathOf } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';
import { writePcrs } from './measure.ts';

interface SignOptions {
  readonly signingCertificate: string;
  readonly privateKey: string;
  readonly output?: string;
  readonly json?: boolean;
}

/** Adds `eif sign`. */
export function addSign(eif: Command, context: CommandContext): void {
  eif
    .command('sign')
    .description('sign an image, or sign it again, and print its PCRs')
    .argument('<image>', 'the image file')
    .requiredOption('--signing-certificate <file>', 'the certificate to embed, PEM: its DER makes PCR8')
    .requiredOption('--private-key <file>', 'its private key, PEM, on P-256, P-384 or P-521')
    .option('--output <file>', 'where the signed image goes (default: in the place of the unsigned one)')
    .option('--json', 'print the JSON of nitro-cli sign-eif')
    .action(async (image: string, options: SignOptions) => {
      const { signingCertificate, privateKey, output, json = false } = options;
      const certificate = await readFile(pathOf(context, signingCertificate));
      const key = await readFile(pathOf(context, privateKey), 'utf8');
      const pcrs = await withProgressBar(context, 'signing', (onProgress) =>
        signEif(pathOf(context, image), {
          certificate,
          key,
          signal: context.signal,
          onProgress,
          ...(output === undefined ? {} : { output: pathOf(context, output) }),
        }),
      );
      writePcrs(context, pcrs, json);
    });
}
