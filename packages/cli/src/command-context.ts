import type { ExitCode } from './exit-code.ts';

/** What a command may touch of the world: given by the entry point, so that tests run commands inside their own process. */
export interface CommandContext {
  /** Bytes piped into the command. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** For results: what `--json` prints, and what a script reads. */
  readonly stdout: OutputStream;
  /** For people: progress, warnings, errors. */
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted when the command is told to stop (SIGINT, SIGTERM). */
  readonly signal: AbortSignal;
  /** Sets what the process will exit with; the last call counts. */
  exitWith(code: ExitCode): void;
}

/** Where a command writes. */
export interface OutputStream {
  write(text: string | Uint8Array): unknown;
  /** Whether a person is looking: colours and progress bars only then. */
  readonly isTTY?: boolean;
  readonly columns?: number;
}
