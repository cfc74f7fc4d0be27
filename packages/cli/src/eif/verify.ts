import { readFile } from 'node:fs/promises';
import type { VerifiedEif } from '@nitro-enclaves/eif';
import { formatSigningCertificate, pcr8FromCertificate, verifyEif } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { EXIT_CODE } from '../exit-code.ts';
import { escapeControls, pathOf, writeJson, writeLines } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';

interface VerifyOptions {
  readonly signingCertificate?: string;
  readonly pcr0?: string;
  readonly at?: Date;
  readonly json?: boolean;
}

function parseTime(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('expected a time such as 2026-01-31T12:00:00Z');
  return time;
}

/** What was asked for and is not so. */
async function mismatches(context: CommandContext, verified: VerifiedEif, options: VerifyOptions): Promise<string[]> {
  const { pcrs } = verified;
  const found: string[] = [];
  if (options.pcr0 !== undefined && options.pcr0.toLowerCase() !== pcrs.PCR0) {
    found.push(`expected PCR0 ${options.pcr0}, found ${pcrs.PCR0}`);
  }
  if (options.signingCertificate !== undefined) {
    const expected = pcr8FromCertificate(await readFile(pathOf(context, options.signingCertificate)));
    if (expected !== pcrs.PCR8) found.push(`expected PCR8 ${expected}, of that certificate, found ${pcrs.PCR8}`);
  }
  return found;
}

function describeSigner({ algorithm, certificate, pcrs }: VerifiedEif): string[] {
  const { IssuerName, NotBefore, NotAfter } = formatSigningCertificate(certificate);
  const names = Object.entries(IssuerName).map(([name, value]) => `${name}=${value}`);
  return [
    `the signature holds (${algorithm})`,
    `certificate ${escapeControls(names.join(', '))}`,
    `valid from ${NotBefore} to ${NotAfter}`,
    `PCR0 ${pcrs.PCR0}`,
    `PCR8 ${pcrs.PCR8}`,
  ];
}

/** Adds `eif verify`. */
export function addVerify(eif: Command, context: CommandContext): void {
  eif
    .command('verify')
    .description("verify an image's signature against its measured PCR0, with the certificate's dates")
    .argument('<image>', 'the image file')
    .option('--signing-certificate <file>', 'the certificate that must have signed, PEM or DER (compared by PCR8)')
    .option('--pcr0 <hex>', 'the PCR0 that the image must have')
    .option('--at <time>', 'when the certificate has to be valid (default: now)', parseTime)
    .option('--json', 'print JSON')
    .action(async (image: string, options: VerifyOptions) => {
      const verified = await withProgressBar(context, 'verifying', (onProgress) =>
        verifyEif(pathOf(context, image), {
          signal: context.signal,
          onProgress,
          ...(options.at === undefined ? {} : { at: options.at }),
        }),
      );
      const wrong = await mismatches(context, verified, options);
      const { algorithm, certificate, pcrs } = verified;
      if (options.json) {
        const shown = formatSigningCertificate(certificate);
        writeJson(context, { verified: wrong.length === 0, algorithm, certificate: shown, pcrs, mismatches: wrong });
      } else if (wrong.length === 0) writeLines(context, describeSigner(verified));
      for (const sentence of wrong) context.stderr.write(`error: ${sentence}\n`);
      if (wrong.length > 0) context.exitWith(EXIT_CODE.POLICY);
    });
}
