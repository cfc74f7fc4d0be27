export type {
  CpioErrorCode,
  Eif,
  EifArchitecture,
  EifErrorCode,
  EifFormatErrorCode,
  EifHeader,
  EifMetadata,
  EifOperationErrorCode,
  EifPcrs,
  EifSection,
  EifSectionType,
  EifSignature,
  EifSignatureErrorCode,
  ImagePcrs,
  ReadEifOptions,
  ReadProgress,
  SigningCertificate,
} from '../index.ts';
export { EifError } from '../index.ts';
export type { NodeEifSource as EifSource } from './file-source.ts';
export { measureEif, readEif } from './read-eif.ts';
export type { EifWriterOptions, SectionData, WrittenEif } from './writer.ts';
export { EifWriter } from './writer.ts';
