export type { FieldTypes, FieldValue, LogLevel } from '../logs/record.ts';
export type { AllowEntry, Target } from '../proxy/allow-list.ts';
export type { ProxyErrorCode } from '../proxy/error.ts';
export { ProxyError } from '../proxy/error.ts';
export type { EnclaveEgressOptions } from './egress.ts';
export { EnclaveEgress, enclaveEgress } from './egress.ts';
export { Secret } from './secret.ts';
export type { EnclaveTelemetryOptions, Fields } from './telemetry.ts';
export { EnclaveTelemetry, enclaveTelemetry } from './telemetry.ts';
