export type {
  CpioErrorCode,
  EifArchitecture,
  EifErrorCode,
  EifFormatErrorCode,
  EifHeader,
  EifOperationErrorCode,
  EifSectionType,
  EifSignatureErrorCode,
  ImagePcrs,
} from '../index.ts';
export { EifError } from '../index.ts';
export type { EifWriterOptions, SectionData, WrittenEif } from './writer.ts';
export { EifWriter } from './writer.ts';
