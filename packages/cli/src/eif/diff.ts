import type { EifChange, EifDiff } from '@nitro-enclaves/eif';
import { diffEif } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { EXIT_CODE } from '../exit-code.ts';
import { escapeControls, pathOf, writeJson, writeLines } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';
import { formatEntry, formatMode } from './file-line.ts';

type FileChanged = Extract<EifChange, { readonly kind: 'file-changed' }>;

/** Both sides of what differs about a file; a digest says nothing to people. */
function formatAspects({ aspects, left, right }: FileChanged): string {
  const sides: Readonly<Record<FileChanged['aspects'][number], readonly [unknown, unknown]>> = {
    type: [left.type, right.type],
    content: [`${left.size} bytes`, `${right.size} bytes`],
    target: [left.target, right.target],
    device: [`${left.device?.major},${left.device?.minor}`, `${right.device?.major},${right.device?.minor}`],
    mode: [formatMode(left), formatMode(right)],
    owner: [`${left.uid}:${left.gid}`, `${right.uid}:${right.gid}`],
    time: [new Date(left.mtime * 1000).toISOString(), new Date(right.mtime * 1000).toISOString()],
  };
  return aspects.map((aspect) => `${aspect} ${sides[aspect][0]} => ${sides[aspect][1]}`).join('; ');
}

function formatChange(change: EifChange): string {
  switch (change.kind) {
    case 'kernel':
      return `kernel: ${change.left.size} => ${change.right.size} bytes`;
    case 'cmdline':
      return `cmdline: ${JSON.stringify(change.left)} => ${JSON.stringify(change.right)}`;
    case 'file-added':
      return `added ${formatEntry(change.entry)}`;
    case 'file-removed':
      return `removed ${formatEntry(change.entry)}`;
    case 'file-changed':
      return `changed ${change.left.ramdisk} ${change.path}: ${formatAspects(change)}`;
    case 'ramdisk-added':
    case 'ramdisk-removed':
      return `${change.kind === 'ramdisk-added' ? 'added' : 'removed'} ramdisk ${change.ramdisk}, ${change.size} bytes`;
    case 'ramdisk-encoding':
      return `ramdisk ${change.ramdisk}: other bytes (${change.left.size} => ${change.right.size}), no file that differs`;
    case 'section-order':
      return `order of the sections: ${change.left.join(' ')} => ${change.right.join(' ')}`;
    case 'header':
      return `header ${change.field}: ${change.left} => ${change.right}`;
    case 'metadata':
      return `metadata ${change.path}: ${JSON.stringify(change.left)} => ${JSON.stringify(change.right)}`;
    case 'signature':
      return `signature: ${change.left.signed ? 'signed' : 'none'} => ${change.right.signed ? 'signed' : 'none'}`;
  }
}

function formatDiff({ left, right, moved, changes }: EifDiff): string[] {
  return [
    ...moved.map((name) => `${name} ${left[name] ?? 'zero'} => ${right[name] ?? 'zero'}`),
    ...changes.map((change) => `[${change.pcrs.join(' ') || 'no PCR'}] ${escapeControls(formatChange(change))}`),
  ];
}

/** Adds `eif diff`. */
export function addDiff(eif: Command, context: CommandContext): void {
  eif
    .command('diff')
    .description('tell what differs between two images, and which PCR each difference moves')
    .argument('<left>', 'the one image file')
    .argument('<right>', 'the other image file')
    .option('--json', 'print JSON')
    .action(async (left: string, right: string, { json }: { readonly json?: boolean }) => {
      const diff = await withProgressBar(context, 'comparing', (onProgress) =>
        diffEif(pathOf(context, left), pathOf(context, right), { signal: context.signal, onProgress }),
      );
      if (json) writeJson(context, diff);
      else writeLines(context, formatDiff(diff));
      if (diff.changes.length > 0) context.exitWith(EXIT_CODE.POLICY);
    });
}
