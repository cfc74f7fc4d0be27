/** Exit codes of every command, for scripts. */
export const EXIT_CODE = {
  /** It was done, and the answer is yes. */
  OK: 0,
  /** The evidence is bad: forged, damaged, expired, or not of the stated form. */
  BAD_EVIDENCE: 1,
  /** The command line, a policy or a configuration is wrong: nothing was judged. */
  USAGE: 2,
  /** The evidence is genuine, but not what the policy asked for. */
  POLICY: 3,
  /** A file, device or peer could not be read, written or reached; or the command was told to stop before it was done. */
  UNAVAILABLE: 4,
  /** A fault of this program. */
  INTERNAL: 70,
} as const;

/** One of {@link EXIT_CODE}. */
export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];
