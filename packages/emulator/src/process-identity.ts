import { readFileSync } from 'node:fs';
import { isSystemError } from './system-error.ts';

/** A process, told from a later one of the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started; absent where the system does not say. */
  readonly started?: string | undefined;
}

/** Field 22 of /proc/PID/stat, clock ticks since boot: process ids are used again. Elsewhere than on Linux unknown. */
export function startOfProcess(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Whether that process is still there; without its start, any of its id. */
export function isRunning({ pid, started }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is one, of somebody else.
    if (!isSystemError(error, 'EPERM')) return false;
  }
  return started === undefined || startOfProcess(pid) === started;
}
