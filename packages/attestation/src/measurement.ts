import { encodeHex } from '@nitro-enclaves/core';
import type { Binding } from './policy.ts';
import { BINDING_LABEL, COMMITMENT_LABEL, extendPreimage, purposePreimage, textPreimage } from './preimage.ts';
import { WEB_CRYPTO } from './web-crypto.ts';

/** A commitment: what an enclave extends a register of its own (PCR16 to PCR31) with, and the value that it then has. */
export interface Commitment {
  /** For `extendPcr`: 48 bytes. */
  readonly data: Uint8Array;
  /** For a policy's `pcrs`: the value of the register, hexadecimal, when it was zero before. */
  readonly pcr: string;
}

/** PCR3 of an enclave whose parent instance has this IAM role. Source: Nitro Enclaves User Guide, "PCR3". */
export async function calculateRolePcr(roleArn: string): Promise<string> {
  return encodeHex(await WEB_CRYPTO.sha384(textPreimage(roleArn)));
}

/** PCR4 of an enclave on this parent instance, such as `i-1234567890abcdef0`. Source: Nitro Enclaves User Guide, "PCR4". */
export async function calculateInstancePcr(instanceId: string): Promise<string> {
  return encodeHex(await WEB_CRYPTO.sha384(textPreimage(instanceId)));
}

/**
 * The `user_data` (48 bytes) that binds a document to a purpose and a content: the enclave puts it in, a policy's `binding`
 * asks for it. A document that was made for one purpose cannot serve another.
 */
export async function calculateBinding(binding: Binding): Promise<Uint8Array> {
  return WEB_CRYPTO.sha384(purposePreimage(BINDING_LABEL, binding));
}

/**
 * The register value that commits an enclave to a content, such as the manifest of what it loads after boot. The enclave
 * extends the register once with `data`, and locks it: only locked registers are in documents.
 */
export async function calculateCommitment(commitment: Binding): Promise<Commitment> {
  const data = await WEB_CRYPTO.sha384(purposePreimage(COMMITMENT_LABEL, commitment));
  return Object.freeze({ data, pcr: encodeHex(await WEB_CRYPTO.sha384(extendPreimage(data))) });
}
