export type { ControlServer } from './control/control-server.ts';
export { startControlServer } from './control/control-server.ts';
export type { EmulatorErrorCode } from './error.ts';
export { EmulatorError } from './error.ts';
export type {
  DueFault,
  FaultOccasions,
  Faults,
  KmsFault,
  NsmErrorName,
  NsmFault,
  ParentFault,
  TransportFault,
} from './faults.ts';
export { FaultController, FaultSchedule } from './faults.ts';
export type { Flaw, FlawedIssue } from './flaws/flaw.ts';
export type { FlawName } from './flaws/issue.ts';
export { FLAWS, issueFlawedDocument } from './flaws/issue.ts';
export type { DescribeOptions, EmulatedEnclave } from './hypervisor/emulated-enclave.ts';
export type { Emulator, EmulatorOptions } from './hypervisor/emulator.ts';
export { startEmulator } from './hypervisor/emulator.ts';
export type { Isolation } from './hypervisor/isolation.ts';
export type { EmulatorLauncher, LaunchOptions } from './hypervisor/launcher.ts';
export { createLauncher } from './hypervisor/launcher.ts';
export type {
  DescribeEnclaveOutput,
  MeasurementsOutput,
  MetadataOutput,
  RunEnclaveOutput,
  TerminateEnclaveOutput,
} from './hypervisor/nitro-cli-output.ts';
export type { EnclaveExit } from './hypervisor/program.ts';
export type { RunCommandOptions, RunEnclaveOptions, RunImageOptions } from './hypervisor/run-options.ts';
export type {
  AttestationRule,
  Condition,
  ConditionOutcome,
  ContextEntries,
  Decision,
  DecisionKind,
  EmulatedCredentials,
  EmulatedKms,
  EmulatedKmsErrorCode,
  EmulatedKmsOptions,
  EnvelopeForm,
  InitialKey,
  KeyPolicyErrorCode,
  KeySpec,
  KeyUsage,
  Mismatch,
  PolicyInput,
  PolicySource,
  Simulation,
  SimulationErrorCode,
  SimulationRequest,
  StatementOutcome,
} from './kms/index.ts';
export {
  EmulatedKmsError,
  KeyPolicyError,
  SimulationError,
  simulate,
  startEmulatedKms,
  unsignedDocumentsAllowed,
} from './kms/index.ts';
export type { EmulatedNsmOptions } from './nsm/emulated-nsm.ts';
export { EmulatedNsm } from './nsm/emulated-nsm.ts';
export type { EnclaveIdentity, ImageMeasurements } from './nsm/enclave-identity.ts';
export type { NsmServer } from './nsm/nsm-server.ts';
export { serveNsm } from './nsm/nsm-server.ts';
export type { EmulatorKmsOptions } from './parent/parent-services.ts';
export type { AttestationDocumentRequest, DocumentAlterations, PayloadEncoding } from './pki/document.ts';
export { issueAttestationDocument } from './pki/document.ts';
export type { ChainAlterations, NitroChain, NitroPkiOptions } from './pki/nitro-pki.ts';
export { createNitroPki, NitroPki } from './pki/nitro-pki.ts';
export type { P384KeyPair } from './pki/p384-key.ts';
export type { Validity } from './pki/schedule.ts';
export { readFaults } from './read-faults.ts';
export { Seed } from './seed.ts';
export type { FaultyTransportOptions } from './transport/faulty-transport.ts';
export { faultyTransport } from './transport/faulty-transport.ts';
