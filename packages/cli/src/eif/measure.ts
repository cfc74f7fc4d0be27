import type { EifPcrs } from '@nitro-enclaves/eif';
import { measureEif, toBuildEnclaveOutput } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { pathOf, writeJson, writeLines } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';

/** Prints PCRs: a line each, or the JSON of `nitro-cli build-enclave`. */
export function writePcrs(context: CommandContext, pcrs: EifPcrs, json: boolean): void {
  if (json) writeJson(context, toBuildEnclaveOutput(pcrs));
  else
    writeLines(
      context,
      Object.entries(pcrs).map(([name, pcr]) => `${name} ${pcr}`),
    );
}

/** Adds `eif measure`. */
export function addMeasure(eif: Command, context: CommandContext): void {
  eif
    .command('measure')
    .description('print the PCRs of an image as the platform computes them')
    .argument('<image>', 'the image file')
    .option('--json', 'print the JSON of nitro-cli build-enclave')
    .action(async (image: string, { json = false }: { readonly json?: boolean }) => {
      const pcrs = await withProgressBar(context, 'measuring', (onProgress) =>
        measureEif(pathOf(context, image), { signal: context.signal, onProgress }),
      );
      writePcrs(context, pcrs, json);
    });
}
