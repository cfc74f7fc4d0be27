import type { ErrorDetails } from '@nitro-enclaves/core';
import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why what was given to build from cannot be used. */
export type EifSourceErrorCode =
  | 'BUILD_OPTION'
  | 'BUILD_SOURCE'
  | 'BUILD_SOURCE_CHANGED'
  | 'BUILD_MANIFEST'
  | 'BUILD_MEDIA_TYPE'
  | 'BUILD_BLOB_MISSING'
  | 'BUILD_DIGEST'
  | 'BUILD_PLATFORM'
  | 'BUILD_IMAGE_AMBIGUOUS'
  | 'BUILD_LAYER'
  | 'BUILD_TAR';

/** Why a file of the image's tree cannot be in an enclave image. */
export type EifTreeErrorCode =
  | 'BUILD_PATH'
  | 'BUILD_NAME_TOO_LONG'
  | 'BUILD_LINK'
  | 'BUILD_FILE_TYPE'
  | 'BUILD_FILE_TOO_LARGE'
  | 'BUILD_TOO_MANY_FILES';

/** Why the image would not boot, or its program not start. */
export type EifBootErrorCode =
  | 'BUILD_KERNEL'
  | 'BUILD_CMDLINE'
  | 'BUILD_INIT'
  | 'BUILD_MODULE'
  | 'BUILD_METADATA'
  | 'BUILD_COMMAND_MISSING'
  | 'BUILD_COMMAND_TEXT'
  | 'BUILD_USER'
  | 'BUILD_WORKING_DIRECTORY'
  | 'BUILD_ENTRYPOINT_MISSING'
  | 'BUILD_ENTRYPOINT_NOT_EXECUTABLE'
  | 'BUILD_ENTRYPOINT_HIDDEN'
  | 'BUILD_ENTRYPOINT_FORMAT'
  | 'BUILD_ENTRYPOINT_ARCHITECTURE'
  | 'BUILD_INTERPRETER_MISSING'
  | 'BUILD_INTERPRETER_NOT_EXECUTABLE';

/** Every code of an {@link EifBuildError}. */
export type EifBuildErrorCode = EifSourceErrorCode | EifTreeErrorCode | EifBootErrorCode;

/** No image was built, and nothing was written. `path` names the file of the image, or of the source, at fault. */
export class EifBuildError extends NitroEnclavesError<EifBuildErrorCode> {}

/** Throws an {@link EifBuildError}, whose message begins with the path at fault. */
export function failBuild(code: EifBuildErrorCode, message: string, details: ErrorDetails = {}): never {
  const place = details.path === undefined ? '' : `${details.path}: `;
  throw new EifBuildError(code, place + message, details);
}
