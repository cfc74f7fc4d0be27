import { constantTimeEqual } from '@nitro-enclaves/core';
import type { Caller, CredentialBook } from './caller.ts';
import { KmsServiceError } from './service-error.ts';
import type { WireRequest } from './sigv4.ts';
import { readAuthorization, verifySignature } from './sigv4.ts';

const UTF8 = new TextEncoder();

function checkSessionToken({ credentials }: Caller, { headers }: WireRequest): void {
  const given = headers.find(([name]) => name === 'x-amz-security-token')?.[1] ?? '';
  if (constantTimeEqual(UTF8.encode(given), UTF8.encode(credentials.sessionToken ?? ''))) return;
  throw new KmsServiceError('UnrecognizedClientException', 'The security token included in the request is invalid.');
}

/**
 * Who made a request: the owner of the credentials that it is signed with.
 * @throws {KmsServiceError} as AWS's front refuses requests
 */
export function authenticate(
  request: WireRequest,
  { book, region, now }: { book: CredentialBook; region: string; now: number },
): Caller {
  const authorization = readAuthorization(request);
  const caller = book.find(authorization.accessKeyId);
  if (caller === undefined) {
    throw new KmsServiceError('UnrecognizedClientException', 'The security token included in the request is invalid.');
  }
  const { secretAccessKey, expiration } = caller.credentials;
  verifySignature(request, authorization, { region, service: 'kms', now, secretAccessKey });
  checkSessionToken(caller, request);
  if (expiration === undefined || expiration.getTime() > now) return caller;
  throw new KmsServiceError('ExpiredTokenException', 'The security token included in the request is expired');
}
