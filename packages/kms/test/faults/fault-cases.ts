import type { KmsFault, NsmFault, TransportFault } from '@nitro-enclaves/emulator';
import { CREDENTIALS_PORT } from '../../src/index.ts';
import type { FaultCase, Outcome, Refusal } from './fault-case.ts';

/** Bytes into the handshake, whatever groups and certificates the two sides agree on. */
const IN_HANDSHAKE = 200;
/** Bytes towards the enclave that come after every handshake, and by the fourth answer. */
const IN_ANSWER = 5000;
/** Bytes towards KMS that come after every handshake, and in the first request: a document alone has more. */
const IN_REQUEST = 3000;

const CLOSED: Refusal = { says: /the way to KMS is closed: is the proxy running on the parent/ };
const LATE_HANDSHAKE: Refusal = { name: 'TimeoutError', says: /the TLS handshake took too long.*is the proxy running/ };
const LATE: Refusal = { name: 'TimeoutError', says: /is the proxy running on the parent/ };
const NOT_TLS: Refusal = { says: /what came is not KMS's TLS: does the parent's proxy forward bytes untouched/ };

function onTheWay(
  name: string,
  fault: TransportFault,
  outcome: Outcome,
  more: Pick<FaultCase, 'attempts' | 'waits' | 'within'> = {},
): FaultCase {
  return { name: `the parent ${name}`, faults: { transport: [fault] }, outcome, ...more };
}

function inKms(
  name: string,
  fault: KmsFault,
  outcome: Outcome,
  more: Pick<FaultCase, 'attempts' | 'except' | 'waits' | 'within'> = {},
): FaultCase {
  return { name: `KMS ${name}`, faults: { kms: [fault] }, outcome, ...more };
}

const onTheWayCases: readonly FaultCase[] = [
  onTheWay('delays what comes', { kind: 'delay', ms: 20 }, 'genuine'),
  onTheWay('ends the handshake in good order', { kind: 'truncate', bytes: IN_HANDSHAKE }, CLOSED),
  onTheWay('ends an answer in good order', { kind: 'truncate', bytes: IN_ANSWER }, CLOSED, { within: 5 }),
  onTheWay('cuts every connection at once', { kind: 'drop', bytes: 0 }, CLOSED),
  onTheWay('cuts the connection in an answer', { kind: 'drop', bytes: IN_ANSWER }, CLOSED, { within: 5 }),
  onTheWay('cuts the connection in a request', { kind: 'drop', bytes: IN_REQUEST, direction: 'to-parent' }, CLOSED),
  onTheWay('cuts the first connection, and the SDK tries again', { kind: 'drop', bytes: 0, times: 1 }, 'genuine', {
    attempts: 3,
  }),
  onTheWay('goes silent in the handshake', { kind: 'stall', bytes: IN_HANDSHAKE }, LATE_HANDSHAKE, { waits: true }),
  onTheWay('goes silent in an answer', { kind: 'stall', bytes: IN_ANSWER }, LATE, { within: 5, waits: true }),
  onTheWay('hears no more of a request', { kind: 'stall', bytes: IN_REQUEST, direction: 'to-parent' }, LATE, {
    waits: true,
  }),
  onTheWay('changes a bit of the handshake', { kind: 'corrupt', at: IN_HANDSHAKE }, NOT_TLS),
  onTheWay('changes a bit of an answer', { kind: 'corrupt', at: IN_ANSWER }, NOT_TLS, { within: 5 }),
  onTheWay('changes a bit of a request', { kind: 'corrupt', at: IN_REQUEST, direction: 'to-parent' }, NOT_TLS),
  onTheWay('swaps the first bytes', { kind: 'swap', bytes: 64 }, NOT_TLS),
  onTheWay('replays the first bytes', { kind: 'replay', bytes: IN_HANDSHAKE }, NOT_TLS),
];

const EXPIRED: Refusal = {
  name: 'ExpiredTokenException',
  says: /the credentials have expired: check that the parent refreshes them/,
};
const UNAVAILABLE: Refusal = { name: 'DependencyTimeoutException', says: /timed out while trying to fulfill/ };

const inKmsCases: readonly FaultCase[] = [
  inKms('throttles', { kind: 'throttle' }, { name: 'ThrottlingException', says: /KMS throttles: slow down/ }),
  inKms('throttles, and the SDK tries again', { kind: 'throttle', times: 1 }, 'genuine', { attempts: 4 }),
  inKms(
    'fails with 500',
    { kind: 'server-error', status: 500 },
    { name: 'KMSInternalException', says: /internal exception/ },
  ),
  inKms(
    'fails with 502',
    { kind: 'server-error', status: 502 },
    { name: 'ServiceUnavailableException', says: /unavailable/ },
  ),
  inKms('fails with 503', { kind: 'server-error', status: 503 }, UNAVAILABLE),
  inKms('fails with 504', { kind: 'server-error', status: 504 }, UNAVAILABLE),
  inKms('does not answer', { kind: 'timeout' }, LATE, { waits: true }),
  inKms(
    'sends the head of an answer and half of its body',
    { kind: 'stall' },
    { name: 'TimeoutError', says: /the body of the answer did not come whole within requestTimeout/ },
    { waits: true },
  ),
  inKms('cuts the connection in the middle of its answer', { kind: 'drop' }, CLOSED),
  inKms('finds the credentials expired', { kind: 'expired-credentials' }, EXPIRED),
  inKms(
    'answers without sealing',
    { kind: 'no-ciphertext-for-recipient' },
    { code: 'ANSWER_NOT_SEALED', says: /does not come from an attested call to KMS/ },
  ),
  inKms(
    'answers with the data of another key',
    { kind: 'other-key' },
    { code: 'ANSWER_KEY_MISMATCH', says: /expected an answer from the key arn:\S+, found one from/ },
    // Random bytes are of no key.
    { except: { GenerateRandom: 'chosen by the attacker' } },
  ),
  inKms('seals what somebody else chose', { kind: 'forged-ciphertext-for-recipient' }, 'chosen by the attacker', {
    except: { GenerateDataKeyPair: { code: 'ANSWER_KEY_PAIR', says: /expected/ } },
  }),
  inKms('lies about the time', { kind: 'wrong-date', offsetMs: 3_600_000 }, 'genuine', { within: 2 }),
];

const NO_CREDENTIALS: Refusal = {
  name: 'KmsTransportError',
  code: 'CREDENTIALS_UNAVAILABLE',
  says: /expected credentials from the parent, found .*: is the credential server running there/,
};

/** With credentials of the parent's own server; in the others they come from elsewhere. */
const inCredentialsCases: readonly FaultCase[] = [
  { name: 'the parent has no credentials', faults: { parent: [{ kind: 'no-credentials' }] }, outcome: NO_CREDENTIALS },
  {
    name: 'the parent gives expired credentials',
    faults: { parent: [{ kind: 'expired-credentials' }] },
    outcome: EXPIRED,
  },
  {
    name: 'the parent goes silent in its credentials',
    faults: { transport: [{ kind: 'stall', bytes: IN_HANDSHAKE, port: CREDENTIALS_PORT }] },
    outcome: NO_CREDENTIALS,
    waits: true,
  },
  {
    name: 'the parent says that credentials have ended',
    faults: { parentClockOffsetMs: -86_400_000 },
    outcome: 'genuine',
  },
];

/** Every fault of the emulator's parent and KMS. */
export const FAULT_CASES: readonly FaultCase[] = [
  ...onTheWayCases,
  ...inKmsCases,
  ...inCredentialsCases.map((one) => ({ ...one, credentialsOf: 'parent' as const })),
];

function inNsm(name: string, fault: NsmFault, outcome: Outcome, except: FaultCase['except'] = {}): FaultCase {
  return { name: `the NSM ${name}`, faults: { nsm: [fault] }, outcome, except };
}

const INVALID_DOCUMENT: Refusal = {
  name: 'ValidationException',
  says: /KMS could not read the request: a damaged or unsigned attestation document/,
};

/** Every fault of the emulated NSM. */
export const NSM_FAULT_CASES: readonly FaultCase[] = [
  inNsm('is slow', { kind: 'slow', ms: 200 }, 'genuine'),
  inNsm(
    'fails',
    { kind: 'error', error: 'InternalError' },
    { code: 'ATTESTATION_FAILED', says: /expected an attestation document.*got none: is the NSM there/ },
  ),
  inNsm('gives a document of yesterday', { kind: 'stale-document', ageMs: 86_400_000 }, INVALID_DOCUMENT),
  inNsm(
    'gives a document of another enclave',
    { kind: 'foreign-document' },
    {
      name: 'AccessDeniedException',
      says: /this enclave has PCR0=[0-9a-f]{96}.*compare with kms:RecipientAttestation/,
    },
    // Of no key, so under no key policy.
    { GenerateRandom: 'genuine' },
  ),
  inNsm('gives a document under another root', { kind: 'foreign-root' }, INVALID_DOCUMENT),
  inNsm('gives an unsigned document', { kind: 'unsigned-document' }, INVALID_DOCUMENT),
];
