import { AttestationError, PolicyConfigurationError, PolicyError } from '@nitro-enclaves/attestation';
import * as browser from '../src/index.ts';

const CLASSES = [
  AttestationError,
  PolicyError,
  PolicyConfigurationError,
  browser.AttestationError,
  browser.PolicyError,
  browser.PolicyConfigurationError,
];

/** The code of the error of ours that `body` throws; anything else that it throws is thrown on. */
export function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return codeOfError(error);
  }
  return 'accepted';
}

/** The code of the error of ours that a promise is rejected with. */
export async function codeOfRejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'accepted', codeOfError);
}

function codeOfError(error: unknown): string {
  const ours = CLASSES.find((type) => error instanceof type);
  if (ours !== undefined && error instanceof Error && 'code' in error) return String(error.code);
  throw error;
}
