export type { FieldTypes, FieldValue, LogLevel } from '../logs/record.ts';
export { Secret } from './secret.ts';
export type { EnclaveTelemetryOptions, Fields } from './telemetry.ts';
export { EnclaveTelemetry, enclaveTelemetry } from './telemetry.ts';
