import type { CommandContext } from './command-context.ts';

/** How far something has come; `total` where it is known. */
export interface Progress {
  readonly done: number;
  readonly total?: number;
}

/** Shows how far a long piece of work has come, to people only. */
export interface ProgressBar {
  /** Hand this to whatever does the work. */
  readonly update: (progress: Progress) => void;
  /** Takes the bar off the screen. */
  clear(): void;
}

/** Work that is over before this is shown nothing of, in ms. */
const DELAY = 300;
/** Shortest time between two drawings, in ms. */
const INTERVAL = 100;
const BAR_CHARACTERS = 30;
const MIB: number = 1024 * 1024;

function draw(label: string, { done, total }: Progress): string {
  const count = `${Math.floor(done / MIB)} MiB`;
  if (total === undefined || total === 0) return `${label} ${count}`;
  const filled = Math.min(BAR_CHARACTERS, Math.floor((done / total) * BAR_CHARACTERS));
  const bar = '#'.repeat(filled).padEnd(BAR_CHARACTERS, '.');
  return `${label} [${bar}] ${count} of ${Math.ceil(total / MIB)} MiB`;
}

const SILENT: ProgressBar = { update: () => undefined, clear: () => undefined };

/** A bar on standard error while a person is looking, and nothing at all in a pipe. */
export function createProgressBar({ stderr }: CommandContext, label: string): ProgressBar {
  if (stderr.isTTY !== true) return SILENT;
  let next = Date.now() + DELAY;
  let drawn = false;
  return {
    update: (progress) => {
      const now = Date.now();
      if (now < next) return;
      next = now + INTERVAL;
      drawn = true;
      const width = (stderr.columns ?? 80) - 1;
      stderr.write(`\r\u001b[K${draw(label, progress).slice(0, width)}`);
    },
    clear: () => {
      if (drawn) stderr.write('\r\u001b[K');
      drawn = false;
    },
  };
}

/** Runs `work` under a bar, which is gone when it ends, however it ends. */
export async function withProgressBar<T>(
  context: CommandContext,
  label: string,
  work: (update: ProgressBar['update']) => Promise<T>,
): Promise<T> {
  const bar = createProgressBar(context, label);
  try {
    return await work(bar.update);
  } finally {
    bar.clear();
  }
}
