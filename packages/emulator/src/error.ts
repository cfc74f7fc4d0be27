import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why the emulator could not do what it was asked. */
export type EmulatorErrorCode = 'EMULATOR_MODULE_ID' | 'EMULATOR_FLAW_UNKNOWN' | 'EMULATOR_FLAW_IMPOSSIBLE' | 'EMULATOR_MEASUREMENT' | 'EMULATOR_ABSENT';

/** The emulator was asked for something that it cannot do. Never a verdict on a document. */
export class EmulatorError extends NitroEnclavesError<EmulatorErrorCode> {}
