/** Names of the lint's rules. */
export type EifLintRule =
  | 'SECRET_FILE'
  | 'SECRET_CONTENT'
  | 'SECRET_ENVIRONMENT'
  | 'METADATA_ENVIRONMENT'
  | 'METADATA_UNMEASURED'
  | 'TIME_UNPINNED'
  | 'CMDLINE_DEBUG'
  | 'CMDLINE_CONSOLE'
  | 'CMDLINE_TOO_LONG'
  | 'KERNEL_FORMAT'
  | 'RAMDISK_EMPTY'
  | 'RAMDISK_ALIGNMENT'
  | 'RAMDISK_UNREADABLE'
  | 'SIGNATURE_INVALID';

/** Something about an image that is well-formed, and yet worth a look. */
export interface EifFinding {
  readonly rule: EifLintRule;
  /** `warning`: should be mended. `note`: should be known. */
  readonly severity: 'warning' | 'note';
  /** What it is and what to do. Never the secret itself. */
  readonly message: string;
  /** The file, inside of the ramdisk; or `$.…` in the metadata. */
  readonly path?: string;
  /** The ramdisk, from 0. */
  readonly ramdisk?: number;
}
