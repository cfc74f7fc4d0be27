export type { ImagePcrs } from './digests.ts';
export type {
  CpioErrorCode,
  EifErrorCode,
  EifFormatErrorCode,
  EifOperationErrorCode,
  EifSignatureErrorCode,
} from './error.ts';
export { EifError } from './error.ts';
export type { EifArchitecture, EifHeader } from './format/header.ts';
export type { EifSectionType } from './format/section.ts';
