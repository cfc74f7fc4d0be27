import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { NsmErrorCode } from '../error.ts';
import { NsmError } from '../error.ts';

/** PCRs that a module locks before an enclave starts: 0 to 15. */
export const PLATFORM_PCRS = 16;

/** Value of a PCR that nothing was ever measured into. */
export const ZERO_PCR: Uint8Array = new Uint8Array(48);

/** What a PCR of value `before` becomes when `data` is measured into it. */
export function extended(before: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha384').update(before).update(data).digest());
}

/** Asserts that both are the same bytes, whatever class of array holds them. */
export function assertBytes(actual: Uint8Array | undefined | null, expected: Uint8Array, what: string): void {
  assert.ok(actual instanceof Uint8Array, `${what}: expected bytes, found ${String(actual)}`);
  assert.equal(Buffer.from(actual).toString('hex'), Buffer.from(expected).toString('hex'), what);
}

/** Asserts that the module itself refuses, with one of `codes`, and not this client or the driver. */
export async function assertModuleRefuses(call: Promise<unknown>, codes: readonly NsmErrorCode[]): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof NsmError, `expected an NsmError, found ${String(error)}`);
    assert.ok(error.moduleError !== undefined, `expected an error of the module, found ${error.code}`);
    assert.ok(codes.includes(error.code), `expected ${codes.join(' or ')}, found ${error.code}`);
    return true;
  });
}
