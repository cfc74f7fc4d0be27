import { lsEif } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { EXIT_CODE } from '../exit-code.ts';
import { escapeControls, pathOf, writeJson, writeLines } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';
import { formatEntry } from './file-line.ts';

/** Whether `path` is `folder` or inside of it. */
function isWithin(path: string, folder: string | undefined): boolean {
  const wanted = folder?.replace(/^(?:\.?\/)+|\/+$/g, '') ?? '';
  return wanted === '' || path === wanted || path.startsWith(`${wanted}/`);
}

/** Adds `eif ls`. */
export function addLs(eif: Command, context: CommandContext): void {
  eif
    .command('ls')
    .description("list the files in an image's ramdisks")
    .argument('<image>', 'the image file')
    .argument('[path]', 'only this file or folder')
    .option('--json', 'print JSON, with the digest of each file')
    .action(async (image: string, path: string | undefined, { json }: { readonly json?: boolean }) => {
      const { entries, unreadable } = await withProgressBar(context, 'reading', (onProgress) =>
        lsEif(pathOf(context, image), { signal: context.signal, onProgress }),
      );
      const listed = entries.filter((entry) => isWithin(entry.path, path));
      if (json) writeJson(context, listed);
      else writeLines(context, listed.map(formatEntry));
      for (const { ramdisk, code, message } of unreadable) {
        context.stderr.write(`warning: ramdisk ${ramdisk} is not listed: ${escapeControls(message)} (${code})\n`);
      }
      if (unreadable.length > 0) context.exitWith(EXIT_CODE.BAD_EVIDENCE);
    });
}
