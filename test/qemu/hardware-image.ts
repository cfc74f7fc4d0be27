import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const BUILD = fileURLToPath(new URL('build-hardware-image.mjs', import.meta.url));

/**
 * Runs the command that a user runs on a parent instance, with a folder laid out as nitro-cli's blobs that holds the rig's
 * kernel, and gives what it printed.
 */
export async function buildHardwareImage(
  { kernel, modules }: { kernel: string; modules: readonly string[] },
  output: string,
): Promise<string> {
  const blobs = join(output, 'blobs');
  await mkdir(blobs, { recursive: true });
  await copyFile(kernel, join(blobs, 'bzImage'));
  await writeFile(join(blobs, 'cmdline'), 'reboot=k panic=30 pci=off console=ttyS0 random.trust_cpu=on');
  const options = ['--blobs', blobs, '--output', output, ...modules.flatMap((module) => ['--module', module])];
  const { stdout } = await promisify(execFile)(process.execPath, [BUILD, ...options]);
  return stdout;
}
