export type { EmulatorErrorCode } from './error.ts';
export { EmulatorError } from './error.ts';
export type { DueFault, FaultOccasions, Faults, KmsFault, NsmErrorName, NsmFault, TransportFault } from './faults.ts';
export { FaultController, FaultSchedule } from './faults.ts';
export type { AttestationDocumentRequest, PayloadEncoding } from './pki/document.ts';
export { issueAttestationDocument } from './pki/document.ts';
export type { NitroChain, NitroPkiOptions } from './pki/nitro-pki.ts';
export { createNitroPki, NitroPki } from './pki/nitro-pki.ts';
export { Seed } from './seed.ts';
