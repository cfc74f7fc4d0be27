export type { CommandContext, OutputStream } from './command-context.ts';
export type { ExitCode } from './exit-code.ts';
export { EXIT_CODE } from './exit-code.ts';
export { run } from './program.ts';
