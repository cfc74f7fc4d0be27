import type { EifFinding } from '@nitro-enclaves/eif';
import { lintEif } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { EXIT_CODE } from '../exit-code.ts';
import { escapeControls, pathOf, writeJson, writeLines } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';

function formatFinding({ severity, rule, path, ramdisk, message }: EifFinding): string {
  const place = [ramdisk === undefined ? undefined : `ramdisk ${ramdisk}`, path].filter((part) => part !== undefined);
  const where = place.length === 0 ? '' : `${escapeControls(place.join(' '))}: `;
  return `${severity} ${rule}: ${where}${escapeControls(message)}`;
}

/** Adds `eif lint`. */
export function addLint(eif: Command, context: CommandContext): void {
  eif
    .command('lint')
    .description('warn of secrets in an image, times that are not fixed, debug settings, what is not measured')
    .argument('<image>', 'the image file')
    .option('--json', 'print JSON')
    .action(async (image: string, { json }: { readonly json?: boolean }) => {
      const findings = await withProgressBar(context, 'reading', (onProgress) =>
        lintEif(pathOf(context, image), { signal: context.signal, onProgress }),
      );
      if (json) writeJson(context, findings);
      else writeLines(context, findings.map(formatFinding));
      if (findings.some(({ severity }) => severity === 'warning')) context.exitWith(EXIT_CODE.POLICY);
    });
}
