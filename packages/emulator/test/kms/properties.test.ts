import { createPublicKey } from 'node:crypto';
import { concatBytes } from '@nitro-enclaves/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyIdOfBlob, openBlob, sealBlob } from '../../src/kms/ciphertext.ts';
import { encodePss, verifyPss } from '../../src/kms/emsa-pss.ts';
import {
  blob,
  flag,
  integer,
  list,
  oneOf,
  readInput,
  required,
  structure,
  text,
  textMap,
} from '../../src/kms/input.ts';
import type { KmsKey } from '../../src/kms/key-ring.ts';
import { parsePolicy } from '../../src/kms/policy/document.ts';
import { sealEnvelope } from '../../src/kms/recipient/envelope.ts';
import { KmsServiceError } from '../../src/kms/service-error.ts';
import type { WireRequest } from '../../src/kms/sigv4.ts';
import { readAuthorization, verifySignature } from '../../src/kms/sigv4.ts';
import { openForEnclave, PUBLIC_KEY } from './enclave.ts';

const POLICY = { Statement: { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' } };

function keyOf(keyId: string, material: Uint8Array): KmsKey {
  return {
    keyId,
    arn: `arn:aws:kms:us-east-1:111122223333:key/${keyId}`,
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    description: '',
    creationDate: 0,
    enabled: true,
    deletionDate: null,
    policy: JSON.stringify(POLICY),
    parsedPolicy: parsePolicy(POLICY),
    tags: {},
    material,
  };
}

const keys = fc
  .tuple(fc.uuid(), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  .map(([keyId, material]) => keyOf(keyId, material));
const contexts = fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 5 }).map((pairs) => new Map(pairs));

/** What `body` fails with; anything but an answer of KMS is a fault. */
function typeOfFailure(body: () => unknown): string | undefined {
  try {
    body();
  } catch (error) {
    if (error instanceof KmsServiceError) return error.type;
    throw error;
  }
  return undefined;
}

describe('ciphertexts', () => {
  it('open to what was sealed, under the same key and context, in whatever order', () => {
    fc.assert(
      fc.property(keys, fc.uint8Array({ maxLength: 512 }), contexts, (key, plaintext, context) => {
        const sealed = sealBlob(key, plaintext, context);
        expect(keyIdOfBlob(sealed)).toBe(key.keyId);
        expect(openBlob(key, sealed, new Map([...context].reverse()))).toEqual(Uint8Array.from(plaintext));
      }),
    );
  });

  it('do not open under any other context', () => {
    fc.assert(
      fc.property(keys, contexts, contexts, (key, context, other) => {
        const same = context.size === other.size && [...context].every(([name, value]) => other.get(name) === value);
        const failure = typeOfFailure(() => openBlob(key, sealBlob(key, Uint8Array.of(1), context), other));
        expect(failure).toBe(same ? undefined : 'InvalidCiphertextException');
      }),
    );
  });

  it('are refused when they are any other bytes', () => {
    fc.assert(
      fc.property(keys, fc.uint8Array({ maxLength: 200 }), (key, bytes) => {
        expect(typeOfFailure(() => openBlob(key, concatBytes(bytes, new Uint8Array(49)), new Map()))).toBe(
          'InvalidCiphertextException',
        );
        expect(typeOfFailure(() => keyIdOfBlob(bytes))).toBe('InvalidCiphertextException');
      }),
    );
  });
});

describe('envelopes', () => {
  it('of any length and form open for a CMS library that is not ours', () => {
    const publicKey = createPublicKey({ key: Buffer.from(PUBLIC_KEY), format: 'der', type: 'spki' });
    const forms = fc.oneof(
      fc.constant({ content: 'primitive' as const }),
      fc.record({ content: fc.constant('constructed' as const), chunkBytes: fc.integer({ min: 1, max: 300 }) }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2500 }), forms, (plaintext, form) => {
        const envelope = sealEnvelope({ publicKey, encodedPublicKey: PUBLIC_KEY }, plaintext, form);
        expect(Uint8Array.from(openForEnclave(envelope))).toEqual(Uint8Array.from(plaintext));
      }),
      { numRuns: 40 },
    );
  });
});

describe('EMSA-PSS', () => {
  it('verifies what it encoded, and nothing else', () => {
    const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(digests, fc.nat({ max: 255 }), fc.integer({ min: 1, max: 255 }), (digest, index, flip) => {
        const encoded = encodePss(digest, 256, 'sha256');
        expect(encoded).toHaveLength(256);
        expect(verifyPss(encoded, digest, 'sha256')).toBe(true);
        const changed = Uint8Array.from(encoded);
        changed[index] = (changed[index] ?? 0) ^ flip;
        expect(verifyPss(changed, digest, 'sha256')).toBe(false);
      }),
    );
  });

  it('refuses any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 256, maxLength: 256 }), (bytes) => {
        expect(verifyPss(bytes, new Uint8Array(32), 'sha256')).toBe(false);
      }),
    );
  });
});

describe('requests', () => {
  const MEMBERS = {
    KeyId: required(text({ min: 1, max: 8 })),
    Plaintext: required(blob({ min: 1, max: 16 })),
    Context: textMap,
    Spec: oneOf(['A', 'B']),
    Days: integer({ min: 1, max: 9 }),
    Dry: flag,
    Tokens: list(text({ max: 4 }), { max: 2 }),
    Recipient: structure({ Document: blob({ min: 1, max: 4 }) }),
  };

  it('of any JSON are read or refused', () => {
    const members = fc.record(Object.fromEntries(Object.keys(MEMBERS).map((name) => [name, fc.jsonValue()])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(fc.oneof(members, fc.jsonValue()), (value) => {
        const failure = typeOfFailure(() => readInput(MEMBERS, Buffer.from(JSON.stringify(value))));
        expect(failure).toMatch(/^(?:ValidationException|SerializationException)$/);
      }),
    );
  });

  it('of any bytes are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        expect(typeOfFailure(() => readInput(MEMBERS, bytes))).toMatch(
          /^(?:ValidationException|SerializationException)$/,
        );
      }),
    );
  });

  it('of the right form are read as they are', () => {
    const body = {
      KeyId: 'k',
      Plaintext: 'AQI=',
      Context: { a: 'b', __proto__x: 'c' },
      Spec: 'B',
      Days: 9,
      Dry: true,
      Tokens: ['t'],
      Recipient: { Document: 'AQ==' },
    };
    expect(readInput(MEMBERS, Buffer.from(JSON.stringify(body)))).toEqual({
      KeyId: 'k',
      Plaintext: Uint8Array.of(1, 2),
      Context: new Map([
        ['a', 'b'],
        ['__proto__x', 'c'],
      ]),
      Spec: 'B',
      Days: 9,
      Dry: true,
      Tokens: ['t'],
      Recipient: { Document: Uint8Array.of(1) },
    });
  });
});

describe('signatures of requests', () => {
  const NAMES = ['authorization', 'host', 'x-amz-date', 'x-amz-target', 'date', 'x-amz-content-sha256'];
  const headers = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.string()), { maxLength: 8 });
  const requests = fc.record({
    method: fc.constantFrom('POST', 'GET'),
    target: fc.webPath(),
    headers,
    body: fc.uint8Array({ maxLength: 32 }),
  });
  const FAILURES = /^(?:MissingAuthenticationTokenException|IncompleteSignatureException|InvalidSignatureException)$/;

  function check(request: WireRequest): string | undefined {
    return typeOfFailure(() => {
      const expected = { region: 'us-east-1', service: 'kms', now: 0, secretAccessKey: 's' };
      verifySignature(request, readAuthorization(request), expected);
    });
  }

  it('are never taken for good, whatever the headers', () => {
    fc.assert(
      fc.property(requests, (request) => {
        expect(check(request)).toMatch(FAILURES);
      }),
    );
  });

  it('are never taken for good with parameters made up', () => {
    const parameters = fc.tuple(fc.string(), fc.string(), fc.string()).map(([credential, signed, signature]) => {
      return `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signed}, Signature=${signature}`;
    });
    fc.assert(
      fc.property(requests, parameters, (request, authorization) => {
        const others = request.headers.filter(([name]) => name !== 'authorization');
        expect(check({ ...request, headers: [...others, ['authorization', authorization]] })).toMatch(FAILURES);
      }),
    );
  });
});
