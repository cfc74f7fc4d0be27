import { decodeHex, encodeHex } from '@nitro-enclaves/core';
import { EmulatorError } from '../error.ts';
import type { Seed } from '../seed.ts';
import { measureText } from './pcr-bank.ts';

/** Measurements of an enclave image: hexadecimal of 48 bytes each. */
export interface ImageMeasurements {
  readonly PCR0: string;
  readonly PCR1: string;
  readonly PCR2: string;
  /** Of the certificate that signed the image; absent for one that is not signed. */
  readonly PCR8?: string | undefined;
}

/** Who an enclave is: what its Nitro Secure Module will say of it. */
export interface EnclaveIdentity {
  /** Id of the parent instance, measured into PCR4. */
  readonly instanceId: string;
  /** `<instance id>-enc<16 hexadecimal digits>`. */
  readonly moduleId: string;
  /** ARN of the parent's IAM role, measured into PCR3; without one PCR3 is zero. */
  readonly roleArn?: string | undefined;
  readonly measurements: ImageMeasurements;
  /** In debug mode PCR0, PCR1, PCR2 and PCR8 are zero. PCR3 and PCR4 are not. */
  readonly debugMode?: boolean | undefined;
}

/** An instance id of AWS's form that the seed determines. */
export function instanceIdOf(seed: Seed): string {
  return `i-${encodeHex(seed.derive('instance id', 9)).slice(0, 17)}`;
}

/** The module id of an enclave of `instanceId`. */
export function moduleIdOf(instanceId: string, seed: Seed): string {
  return `${instanceId}-enc${encodeHex(seed.derive('enclave id', 8))}`;
}

const PCR_HEX = /^[0-9a-fA-F]{96}$/;

function readMeasurement(name: string, value: string): Uint8Array {
  if (PCR_HEX.test(value)) return decodeHex(value);
  throw new EmulatorError(
    'EMULATOR_MEASUREMENT',
    `expected ${name} as 96 hexadecimal digits, found ${value.length} characters`,
  );
}

/** What the platform measures before an enclave starts, by register. */
export function measureIdentity({
  instanceId,
  roleArn,
  measurements,
  debugMode,
}: EnclaveIdentity): Map<number, Uint8Array> {
  const pcrs = new Map([[4, measureText(instanceId)]]);
  if (roleArn !== undefined) pcrs.set(3, measureText(roleArn));
  const { PCR0, PCR1, PCR2, PCR8 } = measurements;
  const image = { 0: PCR0, 1: PCR1, 2: PCR2, ...(PCR8 !== undefined && { 8: PCR8 }) };
  for (const [index, value] of Object.entries(image)) {
    const measured = readMeasurement(`PCR${index}`, value);
    if (debugMode !== true) pcrs.set(Number(index), measured);
  }
  return pcrs;
}
