import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why the emulator could not do what it was asked. */
export type EmulatorErrorCode =
  | 'EMULATOR_ABSENT'
  | 'EMULATOR_ARGUMENT'
  | 'EMULATOR_CLOSED'
  | 'EMULATOR_COMMAND'
  | 'EMULATOR_CONSOLE'
  | 'EMULATOR_ENCLAVE_UNKNOWN'
  | 'EMULATOR_FLAW_IMPOSSIBLE'
  | 'EMULATOR_FLAW_UNKNOWN'
  | 'EMULATOR_FOLDER'
  | 'EMULATOR_IMAGE'
  | 'EMULATOR_MEASUREMENT'
  | 'EMULATOR_MEMORY'
  | 'EMULATOR_MODULE_ID'
  | 'EMULATOR_NAMESPACES'
  | 'EMULATOR_UNREACHABLE';

/** The emulator was asked for something that it cannot do. Never a verdict on a document. */
export class EmulatorError extends NitroEnclavesError<EmulatorErrorCode> {}
