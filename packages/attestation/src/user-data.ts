import { explain } from '@nitro-enclaves/core';
import { PolicyError } from './error.ts';
import type { TrustedFields } from './verified-document.ts';

const PATH = '$.user_data';

function expectUserData({ userData }: TrustedFields): Uint8Array {
  if (userData !== null) return userData;
  throw new PolicyError('USER_DATA_MISSING', explain(PATH, 'bytes', 'none'), { path: PATH });
}

/**
 * The user data of a verified document as text.
 * @throws {PolicyError} `USER_DATA_MISSING`, or `USER_DATA_NOT_TEXT` when it is not UTF-8.
 */
export function readUserDataText(document: TrustedFields): string {
  const userData = expectUserData(document);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(userData);
  } catch (cause) {
    throw new PolicyError('USER_DATA_NOT_TEXT', explain(PATH, 'UTF-8'), { cause, path: PATH });
  }
}

/**
 * The user data of a verified document as JSON. It is still to be checked that the value is of the expected form.
 * @throws {PolicyError} `USER_DATA_MISSING`, `USER_DATA_NOT_TEXT`, or `USER_DATA_NOT_JSON`.
 */
export function readUserDataJson(document: TrustedFields): unknown {
  const text = readUserDataText(document);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PolicyError('USER_DATA_NOT_JSON', explain(PATH, 'JSON'), { cause, path: PATH });
  }
}
