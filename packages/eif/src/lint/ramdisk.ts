import type { RamdiskContents } from '../read/contents.ts';
import type { EifFinding } from './finding.ts';
import { isSecretFile } from './secrets.ts';

function lintTimes({ ramdisk, entries = [] }: RamdiskContents): EifFinding[] {
  const times = new Set(entries.map(({ mtime }) => mtime));
  if (times.size <= 1) return [];
  const latest = entries.reduce((time, { mtime }) => Math.max(time, mtime), 0);
  const newest = new Date(latest * 1000).toISOString();
  const message = `the files have ${times.size} different times, the newest ${newest}: unless all are fixed, building again moves PCR0 and PCR${ramdisk === 0 ? 1 : 2}`;
  return [{ rule: 'TIME_UNPINNED', severity: 'warning', message, ramdisk }];
}

function lintSecretFiles({ ramdisk, entries = [] }: RamdiskContents): EifFinding[] {
  return entries
    .filter(({ type, path, size }) => type === 'file' && size > 0 && isSecretFile(path))
    .map(({ path }) => ({
      rule: 'SECRET_FILE',
      severity: 'warning',
      message: 'a file of this name holds secrets, which everyone who has the image can read: leave it out',
      path,
      ramdisk,
    }));
}

/** Judges one ramdisk; `isLast` says that none follows. */
export function lintRamdisk(contents: RamdiskContents, isLast: boolean): EifFinding[] {
  const { ramdisk, section, notReadable } = contents;
  const findings: EifFinding[] = [];
  if (section.size === 0) {
    findings.push({ rule: 'RAMDISK_EMPTY', severity: 'warning', message: 'the ramdisk is empty', ramdisk });
  }
  if (section.size % 4 !== 0 && !isLast) {
    const message = `the ramdisk's ${section.size} bytes are no multiple of four: the kernel may pass over the next one`;
    findings.push({ rule: 'RAMDISK_ALIGNMENT', severity: 'warning', message, ramdisk });
  }
  if (notReadable !== undefined) {
    const message = `what is in the ramdisk cannot be judged (${notReadable.code}): ${notReadable.message}`;
    findings.push({ rule: 'RAMDISK_UNREADABLE', severity: 'warning', message, ramdisk });
  }
  return [...findings, ...lintTimes(contents), ...lintSecretFiles(contents)];
}
