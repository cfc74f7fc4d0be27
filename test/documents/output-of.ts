import { spawnSync } from 'node:child_process';

/** What a program prints; throws what it says on its other stream when its status is not 0. */
export function outputOf(
  command: string,
  args: readonly string[],
  options: { input?: string; cwd?: string } = {},
): string {
  const { status, stdout, stderr } = spawnSync(command, args, { ...options, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (status !== 0)
    throw new Error(`${command} ${args[0]}: expected status 0, found ${status}\n${stderr.slice(-2000)}`);
  return stdout;
}
