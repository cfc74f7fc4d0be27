import { describeEif, inspectEif } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { EXIT_CODE } from '../exit-code.ts';
import { pathOf, writeJson } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';

interface DescribeOptions {
  readonly json?: boolean;
}

/** Adds `eif describe`. */
export function addDescribe(eif: Command, context: CommandContext): void {
  eif
    .command('describe')
    .description('describe an image, in the JSON of nitro-cli describe-eif')
    .argument('<image>', 'the image file')
    .option('--json', 'tell more, in JSON of our own: header, sections with digests, command line, certificate')
    .action(async (image: string, { json }: DescribeOptions) => {
      const path = pathOf(context, image);
      await withProgressBar(context, 'reading', async (onProgress) => {
        const options = { signal: context.signal, onProgress };
        if (json) {
          const inspection = await inspectEif(path, options);
          writeJson(context, inspection);
          if (inspection.signature?.valid === false) context.exitWith(EXIT_CODE.BAD_EVIDENCE);
          return;
        }
        const description = await describeEif(path, options);
        writeJson(context, description);
        const holds = description.CheckCRC && description.SignatureCheck !== false;
        if (!holds) context.exitWith(EXIT_CODE.BAD_EVIDENCE);
      });
    });
}
