import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

let home: string;
let cached: (name: string, recipe: readonly string[], make: (folder: string) => Promise<void>) => Promise<string>;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cache-'));
  vi.stubEnv('XDG_CACHE_HOME', home);
  ({ cached } = await import('./rig/cache.mjs'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

/** Makes a file of the given text; counts how often it had to. */
function maker(text: string) {
  const make = async (folder: string): Promise<void> => {
    make.times += 1;
    await writeFile(join(folder, 'program'), text);
  };
  make.times = 0;
  return make;
}

it('makes a thing once for each recipe', async () => {
  const make = maker('one');
  const folder = await cached('once', ['flags', 'source'], make);
  expect(await cached('once', ['flags', 'source'], make)).toBe(folder);
  expect(make.times).toBe(1);
  expect(await readFile(join(folder, 'program'), 'utf8')).toBe('one');
  expect(await cached('once', ['flags', 'other source'], make)).not.toBe(folder);
  expect(make.times).toBe(2);
});

it.each([
  ['changed', (folder: string) => writeFile(join(folder, 'program'), 'two')],
  ['added', (folder: string) => writeFile(join(folder, 'more'), '')],
  ['taken away', (folder: string) => rm(join(folder, 'program'))],
])('makes it again when a file of it was %s', async (what, spoil) => {
  const make = maker('one');
  await spoil(await cached('spoilt', [what], make));
  const folder = await cached('spoilt', [what], make);
  expect(make.times).toBe(2);
  expect((await readdir(folder)).sort()).toEqual(['manifest.json', 'program']);
  expect(await readFile(join(folder, 'program'), 'utf8')).toBe('one');
});

it('leaves nothing behind when it could not be made', async () => {
  const failing = async (folder: string): Promise<void> => {
    await writeFile(join(folder, 'half'), '');
    throw new Error('no network');
  };
  await expect(cached('failing', [], failing)).rejects.toThrow('no network');
  const folders = await readdir(join(home, 'nitro-enclaves-sdk', 'qemu'));
  expect(folders.filter((name) => name.startsWith('failing'))).toEqual([]);
});
