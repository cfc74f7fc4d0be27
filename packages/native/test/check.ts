import { readdirSync } from 'node:fs';

/** One sentence about the addon. Free of any test framework: it runs in a bare Node, sanitized or of another processor. */
export interface Check {
  readonly name: string;
  run(): Promise<void>;
}

/** How often the checks for leaks do what they do. */
export const ROUNDS = Number(process.env['NATIVE_CHECK_ROUNDS'] ?? 1000);
/** How many workers the checks start and stop. */
export const WORKERS = Number(process.env['NATIVE_CHECK_WORKERS'] ?? 10);

/** What a device that is no NSM answers to its ioctl. */
export const NO_NSM = process.env['NATIVE_CHECK_IOCTL_ERROR'] ?? 'ENOTTY';

/** How many descriptors this process has open. */
export function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
