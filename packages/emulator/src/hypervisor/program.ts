/** What runs in an enclave. */
export interface Program {
  /** The executable and its arguments. */
  readonly command: readonly string[];
  /** Its whole environment, `NAME=value`. */
  readonly environment: readonly string[];
  /** Absolute, inside the root. */
  readonly workingDirectory: string;
  /** Root file system on this machine; absent when the program runs in this machine's own. */
  readonly root?: string;
  /** Port of the parent that is told the exit status, as the init of the package `eif` does it. */
  readonly exitStatusPort?: number;
}

/** How a program ended. */
export interface EnclaveExit {
  /** Its exit code; `null` when a signal ended it. */
  readonly exitCode: number | null;
  /**
   * The signal that ended it, such as `SIGSEGV`; `null` when it ended by itself. That somebody else than the emulator killed
   * a program in namespaces (SIGKILL), unshare of util-linux tells as exit code 1.
   */
  readonly signal: NodeJS.Signals | null;
  /** Whether it was terminated from outside rather than by itself. */
  readonly terminated: boolean;
}
