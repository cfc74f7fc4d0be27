import type { EifEntry } from '@nitro-enclaves/eif';
import { escapeControls } from '../output.ts';

const TYPE_LETTERS: Readonly<Record<EifEntry['type'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  'character-device': 'c',
  'block-device': 'b',
  fifo: 'p',
  socket: 's',
};

/** Type and permissions as `ls -l` writes them. */
export function formatMode({ type, mode }: Pick<EifEntry, 'type' | 'mode'>): string {
  const letters = [0o400, 0o200, 0o100, 0o40, 0o20, 0o10, 4, 2, 1].map((bit, index) =>
    mode & bit ? ('rwx'[index % 3] ?? '-') : '-',
  );
  const special: readonly (readonly [number, number, string])[] = [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ];
  for (const [bit, at, letter] of special) {
    if (mode & bit) letters[at] = letters[at] === 'x' ? letter : letter.toUpperCase();
  }
  return TYPE_LETTERS[type] + letters.join('');
}

/** One line of `eif ls`. */
export function formatEntry(entry: EifEntry): string {
  const { ramdisk, uid, gid, size, mtime, path, target, device } = entry;
  const length = device === undefined ? String(size) : `${device.major},${device.minor}`;
  const time = new Date(mtime * 1000).toISOString().slice(0, 19);
  const arrow = target === undefined ? '' : ` -> ${escapeControls(target)}`;
  return `${ramdisk} ${formatMode(entry)} ${uid}:${gid} ${length.padStart(10)} ${time} ${escapeControls(path)}${arrow}`;
}
