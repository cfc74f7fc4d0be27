import { extractEif } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { escapeControls, pathOf, writeJson } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';

interface ExtractOptions {
  readonly unpack: boolean;
  readonly json?: boolean;
}

/** Adds `eif extract`. */
export function addExtract(eif: Command, context: CommandContext): void {
  eif
    .command('extract')
    .description('take an image apart into a new folder')
    .argument('<image>', 'the image file')
    .argument('<folder>', 'the folder to make')
    .option('--no-unpack', 'write the ramdisks as they are instead of their files')
    .option('--json', 'print JSON')
    .action(async (image: string, target: string, { unpack, json }: ExtractOptions) => {
      const {
        eif: found,
        folder,
        skipped,
        notUnpacked,
      } = await withProgressBar(context, 'extracting', (onProgress) =>
        extractEif(pathOf(context, image), pathOf(context, target), { unpack, signal: context.signal, onProgress }),
      );
      if (json) writeJson(context, { folder, sections: found.sections, pcrs: found.pcrs, skipped, notUnpacked });
      for (const ramdisk of notUnpacked) context.stderr.write(`warning: ramdisk ${ramdisk} is no archive\n`);
      for (const { path, reason } of skipped) {
        context.stderr.write(`warning: left out ${escapeControls(path)} (${reason})\n`);
      }
    });
}
