import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandContext } from '../src/index.ts';
import { withProgressBar } from '../src/progress-bar.ts';

const MIB = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What is written while 4 MiB of work take `duration` ms. */
async function written(isTTY: boolean, duration: number, columns = 80): Promise<string> {
  const texts: string[] = [];
  const stderr = { write: (text: string | Uint8Array) => texts.push(text.toString()), isTTY, columns };
  await withProgressBar({ stderr } as unknown as CommandContext, 'measuring', async (update) => {
    for (let done = 1; done <= 4; done += 1) {
      vi.advanceTimersByTime(duration / 4);
      update({ done: done * MIB, total: 4 * MIB });
    }
  });
  return texts.join('');
}

describe('a progress bar', () => {
  it('shows a person how far long work has come, and is gone when it ends', async () => {
    const text = await written(true, 4000);
    expect(text).toContain('measuring [###############...............] 2 MiB of 4 MiB');
    expect(text.endsWith('\r\u001b[K')).toBe(true);
  });

  it('is gone when the work fails too', async () => {
    const texts: string[] = [];
    const stderr = { write: (text: string | Uint8Array) => texts.push(text.toString()), isTTY: true };
    const work = withProgressBar({ stderr } as unknown as CommandContext, 'signing', async (update) => {
      vi.advanceTimersByTime(1000);
      update({ done: MIB });
      throw new Error('enough');
    });
    await expect(work).rejects.toThrow('enough');
    expect(texts).toEqual(['\r\u001b[Ksigning 1 MiB', '\r\u001b[K']);
  });

  it('is not drawn for short work, nor in a pipe', async () => {
    expect(await written(true, 200)).toBe('');
    expect(await written(false, 4000)).toBe('');
  });

  it('stays within the terminal’s width', async () => {
    const lines = (await written(true, 4000, 20)).split('\r\u001b[K');
    expect(Math.max(...lines.map((line) => line.length))).toBe(19);
  });
});
