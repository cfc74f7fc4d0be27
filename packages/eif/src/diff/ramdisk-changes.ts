import type { DigestedSection, RamdiskContents } from '../read/contents.ts';
import type { EifEntry } from '../read/entries.ts';
import type { DataSummary, EifChange, FileAspect, ImagePcrName } from './change.ts';

/** Adds the PCRs that a change is part of. */
export type Attribute = (...candidates: readonly ImagePcrName[]) => ImagePcrName[];

/** Length and digest of a section's data. */
export function summarise({ size, sha384 }: DigestedSection): DataSummary {
  return { size, sha384 };
}

function sameDevice(left: EifEntry, right: EifEntry): boolean {
  return left.device?.major === right.device?.major && left.device?.minor === right.device?.minor;
}

function differingAspects(left: EifEntry, right: EifEntry): FileAspect[] {
  const aspects: readonly (readonly [FileAspect, boolean])[] = [
    ['type', left.type !== right.type],
    ['content', left.sha384 !== right.sha384],
    ['target', left.target !== right.target],
    ['device', !sameDevice(left, right)],
    ['mode', left.mode !== right.mode],
    ['owner', left.uid !== right.uid || left.gid !== right.gid],
    ['time', left.mtime !== right.mtime],
  ];
  return aspects.filter(([, differs]) => differs).map(([aspect]) => aspect);
}

/** A path's last entry: the kernel lets it replace those before. */
function byPath(entries: readonly EifEntry[]): Map<string, EifEntry> {
  return new Map(entries.map((entry) => [entry.path, entry]));
}

function compareFiles(
  left: readonly EifEntry[],
  right: readonly EifEntry[],
  pcrs: readonly ImagePcrName[],
): EifChange[] {
  const changes: EifChange[] = [];
  const [before, after] = [byPath(left), byPath(right)];
  for (const [path, entry] of before) {
    const other = after.get(path);
    if (other === undefined) {
      changes.push({ kind: 'file-removed', path, entry, pcrs });
      continue;
    }
    const aspects = differingAspects(entry, other);
    if (aspects.length > 0) changes.push({ kind: 'file-changed', path, aspects, left: entry, right: other, pcrs });
  }
  for (const [path, entry] of after) if (!before.has(path)) changes.push({ kind: 'file-added', path, entry, pcrs });
  return changes;
}

function compareRamdisk(left: RamdiskContents, right: RamdiskContents, attribute: Attribute): EifChange[] {
  if (left.section.sha384 === right.section.sha384) return [];
  const { ramdisk } = left;
  const pcrs = attribute('PCR0', ramdisk === 0 ? 'PCR1' : 'PCR2');
  const files =
    left.entries === undefined || right.entries === undefined ? [] : compareFiles(left.entries, right.entries, pcrs);
  if (files.length > 0) return files;
  const data = { left: summarise(left.section), right: summarise(right.section) };
  return [{ kind: 'ramdisk-encoding', ramdisk, ...data, pcrs }];
}

function compareAt(
  ramdisk: number,
  left: RamdiskContents | undefined,
  right: RamdiskContents | undefined,
  attribute: Attribute,
): EifChange[] {
  if (left !== undefined && right !== undefined) return compareRamdisk(left, right, attribute);
  const pcrs = attribute('PCR0', ramdisk === 0 ? 'PCR1' : 'PCR2');
  if (right !== undefined) return [{ kind: 'ramdisk-added', ramdisk, ...summarise(right.section), pcrs }];
  return left === undefined ? [] : [{ kind: 'ramdisk-removed', ramdisk, ...summarise(left.section), pcrs }];
}

/** What differs in the ramdisks of two images, the first with the first and so on. */
export function compareRamdisks(
  left: readonly RamdiskContents[],
  right: readonly RamdiskContents[],
  attribute: Attribute,
): EifChange[] {
  const count = Math.max(left.length, right.length);
  return Array.from({ length: count }, (_, ramdisk) => ramdisk).flatMap((ramdisk) =>
    compareAt(ramdisk, left[ramdisk], right[ramdisk], attribute),
  );
}
