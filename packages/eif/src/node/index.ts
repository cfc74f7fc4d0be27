export type { BuildEifOptions, BuildProgress, BuildWarning, BuiltEif } from '../build/build.ts';
export { buildEif } from '../build/build.ts';
export type {
  EifBootErrorCode,
  EifBuildErrorCode,
  EifSourceErrorCode,
  EifTreeErrorCode,
} from '../build/error.ts';
export { EifBuildError } from '../build/error.ts';
export type {
  CpioErrorCode,
  CpioFileType,
  Eif,
  EifArchitecture,
  EifEntry,
  EifErrorCode,
  EifFormatErrorCode,
  EifHeader,
  EifListing,
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
export type { ExtractEifOptions, ExtractedEif } from './extract-eif.ts';
export { extractEif } from './extract-eif.ts';
export type { NodeEifSource as EifSource } from './file-source.ts';
export { lsEif, measureEif, readEif } from './read-eif.ts';
export type { SkippedEntry } from './unpacker.ts';
export type { EifWriterOptions, SectionData, WrittenEif } from './writer.ts';
export { EifWriter } from './writer.ts';
