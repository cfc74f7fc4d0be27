export type { BuildEifOptions, BuildProgress, BuiltEif } from '../build/build.ts';
export { buildEif } from '../build/build.ts';
export type {
  EifBootErrorCode,
  EifBuildErrorCode,
  EifSourceErrorCode,
  EifTreeErrorCode,
} from '../build/error.ts';
export { EifBuildError } from '../build/error.ts';
export type { BuildWarning } from '../build/source.ts';
export type {
  AttestedAction,
  BuildEnclaveOutput,
  CpioErrorCode,
  CpioFileType,
  DataSummary,
  DescribeEifOutput,
  DigestedSection,
  Eif,
  EifArchitecture,
  EifChange,
  EifDiff,
  EifEntry,
  EifErrorCode,
  EifFinding,
  EifFormatErrorCode,
  EifHeader,
  EifInspection,
  EifLintRule,
  EifListing,
  EifMetadata,
  EifOperationErrorCode,
  EifPcrs,
  EifSection,
  EifSectionType,
  EifSignature,
  EifSignatureAlgorithm,
  EifSignatureErrorCode,
  FileAspect,
  ImagePcrName,
  ImagePcrs,
  KmsPolicy,
  KmsPolicyErrorCode,
  KmsPolicyOptions,
  KmsPolicyStatement,
  KmsPolicyWarning,
  Measurements,
  PolicyPcrs,
  ReadEifOptions,
  ReadProgress,
  SignatureInspection,
  SignatureState,
  SignatureVerdict,
  SigningCertificate,
  SigningCertificateText,
  UnreadableRamdisk,
  VerifiedEif,
  VerifySignatureOptions,
} from '../index.ts';
export {
  createKmsPolicyStatement,
  EifError,
  extendPcr,
  formatSigningCertificate,
  KmsPolicyError,
  pcr3FromRoleArn,
  pcr4FromInstanceId,
  pcr8FromCertificate,
  toBuildEnclaveOutput,
  toCdk,
  toTerraform,
  ZERO_PCR,
} from '../index.ts';
export type { EifSigner, EifSigningRequest } from '../sign/create-signature.ts';
export type { ExtractEifOptions, ExtractedEif } from './extract-eif.ts';
export { extractEif } from './extract-eif.ts';
export type { NodeEifSource as EifSource } from './file-source.ts';
export {
  describeEif,
  diffEif,
  inspectEif,
  lintEif,
  lsEif,
  measureEif,
  pcrOfFile,
  readEif,
  verifyEif,
} from './read-eif.ts';
export type { SignEifOptions } from './sign-eif.ts';
export { signEif } from './sign-eif.ts';
export type { SkippedEntry } from './unpacker.ts';
export type { EifWriterOptions, SectionData, WrittenEif } from './writer.ts';
export { EifWriter } from './writer.ts';
