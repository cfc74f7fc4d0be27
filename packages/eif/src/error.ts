import type { ErrorDetails } from '@nitro-enclaves/core';
import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why bytes are not an enclave image that every reader of the format understands alike. */
export type EifFormatErrorCode =
  | 'EIF_HEADER_TRUNCATED'
  | 'EIF_MAGIC'
  | 'EIF_VERSION'
  | 'EIF_HEADER_FLAGS'
  | 'EIF_HEADER_RESERVED'
  | 'EIF_HEADER_UNUSED'
  | 'EIF_INTEGER_RANGE'
  | 'EIF_SECTION_COUNT'
  | 'EIF_TABLE_FIRST_OFFSET'
  | 'EIF_TABLE_OVERLAP'
  | 'EIF_TABLE_GAP'
  | 'EIF_TABLE_UNUSED_ENTRY'
  | 'EIF_TABLE_BEYOND_FILE'
  | 'EIF_SECTION_HEADER_TRUNCATED'
  | 'EIF_SECTION_TRUNCATED'
  | 'EIF_SECTION_TYPE_INVALID'
  | 'EIF_SECTION_TYPE_UNKNOWN'
  | 'EIF_SECTION_TYPE_VERSION'
  | 'EIF_SECTION_FLAGS'
  | 'EIF_SECTION_SIZE_MISMATCH'
  | 'EIF_KERNEL_MISSING'
  | 'EIF_KERNEL_DUPLICATE'
  | 'EIF_CMDLINE_MISSING'
  | 'EIF_CMDLINE_DUPLICATE'
  | 'EIF_CMDLINE_TOO_LARGE'
  | 'EIF_CMDLINE_TEXT'
  | 'EIF_RAMDISK_MISSING'
  | 'EIF_RAMDISK_BEFORE_KERNEL'
  | 'EIF_METADATA_MISSING'
  | 'EIF_METADATA_DUPLICATE'
  | 'EIF_METADATA_TOO_LARGE'
  | 'EIF_METADATA_TEXT'
  | 'EIF_METADATA_JSON'
  | 'EIF_METADATA_DUPLICATE_KEY'
  | 'EIF_METADATA_FIELD'
  | 'EIF_SIGNATURE_DUPLICATE'
  | 'EIF_SIGNATURE_TOO_LARGE'
  | 'EIF_TRAILING_BYTES'
  | 'EIF_CRC';

/** Why the signature section does not hold. */
export type EifSignatureErrorCode =
  | 'EIF_SIGNATURE_MISSING'
  | 'EIF_SIGNATURE_CBOR'
  | 'EIF_SIGNATURE_COUNT'
  | 'EIF_SIGNATURE_ENTRY'
  | 'EIF_SIGNATURE_COSE'
  | 'EIF_SIGNATURE_ALGORITHM'
  | 'EIF_SIGNATURE_PAYLOAD'
  | 'EIF_SIGNATURE_REGISTER'
  | 'EIF_SIGNATURE_PCR0'
  | 'EIF_SIGNATURE'
  | 'EIF_CERTIFICATE_PEM'
  | 'EIF_CERTIFICATE_DER'
  | 'EIF_CERTIFICATE_KEY'
  | 'EIF_CERTIFICATE_NOT_YET_VALID'
  | 'EIF_CERTIFICATE_EXPIRED';

/** Why the cpio archive inside a ramdisk cannot be read. */
export type CpioErrorCode =
  | 'CPIO_TRUNCATED'
  | 'CPIO_MAGIC'
  | 'CPIO_NUMBER'
  | 'CPIO_NAME'
  | 'CPIO_NAME_TOO_LONG'
  | 'CPIO_TOO_MANY_ENTRIES'
  | 'CPIO_PADDING'
  | 'CPIO_TRAILER_MISSING'
  | 'CPIO_TRAILING_BYTES'
  | 'CPIO_CHECKSUM'
  | 'CPIO_LINK_TARGET'
  | 'CPIO_COMPRESSION'
  | 'CPIO_TOO_LARGE';

/** Why an operation on an image could not be done. */
export type EifOperationErrorCode =
  | 'EIF_SOURCE'
  | 'EIF_SOURCE_CHANGED'
  | 'EIF_SIGNING_KEY'
  | 'EIF_SIGNING_KEY_MISMATCH'
  | 'EIF_TARGET_EXISTS'
  | 'EIF_EXTRACT_PATH'
  | 'EIF_PCR_VALUE'
  | 'EIF_ROLE_ARN'
  | 'EIF_INSTANCE_ID'
  | 'EIF_WRITER_STATE';

/** Every code of an {@link EifError}. */
export type EifErrorCode = EifFormatErrorCode | EifSignatureErrorCode | CpioErrorCode | EifOperationErrorCode;

/** The image is bad, or what was asked of it cannot be done; `code` says which. `offset` counts from the start of the image. */
export class EifError extends NitroEnclavesError<EifErrorCode> {}

/** Throws an {@link EifError}. */
export function fail(code: EifErrorCode, message: string, details: ErrorDetails = {}): never {
  throw new EifError(code, message, details);
}
