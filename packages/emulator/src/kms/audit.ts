import { randomUUID } from 'node:crypto';
import type { KmsPlace } from './arn.ts';
import type { CallTrace } from './call.ts';
import type { Caller } from './caller.ts';
import type { Principal } from './principal.ts';
import type { DocumentClaims } from './recipient/document.ts';
import type { KmsServiceError } from './service-error.ts';

/** What there is to record of one request. */
export interface AuditedRequest {
  readonly place: KmsPlace;
  /** In ms since the epoch. */
  readonly now: number;
  readonly requestId: string;
  readonly operation: string;
  readonly isReadOnly: boolean;
  readonly sourceIp: string;
  readonly userAgent: string;
  /** `null` when the request was not authenticated. */
  readonly caller: Caller | null;
  readonly parameters: Readonly<Record<string, unknown>> | null;
  readonly trace: CallTrace | null;
  readonly error: KmsServiceError | null;
  /** Whether documents are taken without a signature. */
  readonly unsignedDocuments: boolean;
}

const UNSIGNED_WARNING = 'UNSIGNED ATTESTATION DOCUMENTS ARE ACCEPTED: anybody can claim any measurement';

function base64Of(hex: string | undefined): string | undefined {
  return hex === undefined ? undefined : Buffer.from(hex, 'hex').toString('base64');
}

/** The PCRs that CloudTrail logs, by the names that it gives them; all others are left out. */
const LOGGED_PCRS = { enclave: [1, 2, 3, 4, 8], nitrotpm: [4, 7, 8, 9, 16, 23] } as const;

/** `additionalEventData.recipient` (AWS KMS Developer Guide, "Monitoring attested requests"). Values in base64. */
function recipientRecord({ kind, moduleId, pcrs }: DocumentClaims) {
  const name = kind === 'enclave' ? 'EnclavePCR' : 'NitroTPMPCR';
  const values = LOGGED_PCRS[kind].map((index) => [`attestationDocument${name}${index}`, base64Of(pcrs[index])]);
  return {
    attestationDocumentModuleId: moduleId,
    attestationDocumentEnclaveImageDigest: kind === 'enclave' ? base64Of(pcrs[0]) : undefined,
    ...Object.fromEntries(values),
  };
}

const IDENTITY_TYPES: Readonly<Record<Principal['type'], string>> = {
  Account: 'Root',
  User: 'IAMUser',
  AssumedRole: 'AssumedRole',
  FederatedUser: 'FederatedUser',
};

function userIdentity(caller: Caller | null) {
  if (caller === null) return { type: 'Unknown' };
  const { principal, credentials } = caller;
  const { type, arn, accountId, name, principalArn } = principal;
  return {
    type: IDENTITY_TYPES[type],
    principalId: name === null ? accountId : `${credentials.accessKeyId}:${name}`,
    arn,
    accountId,
    accessKeyId: credentials.accessKeyId,
    userName: type === 'User' ? name : undefined,
    sessionContext:
      type === 'AssumedRole' ? { sessionIssuer: { type: 'Role', arn: principalArn, accountId } } : undefined,
    invokedBy: credentials.viaService,
  };
}

/** CloudTrail drops the suffix of this one, and of no other. */
function errorCodeOf({ type }: KmsServiceError): string {
  return type === 'AccessDeniedException' ? 'AccessDenied' : type;
}

/** What CloudTrail does not have: who decided, and what the developer should know. */
function emulatorRecord({ trace, unsignedDocuments }: AuditedRequest) {
  const decisions = trace?.decisions.map(({ decision, decidedBy }) => ({
    decision,
    policy: decidedBy?.policy,
    statement: decidedBy?.statement,
    sid: decidedBy?.sid ?? undefined,
  }));
  const warnings = [...(trace?.warnings ?? []), ...(unsignedDocuments ? [UNSIGNED_WARNING] : [])];
  return { decisions: decisions ?? [], warnings: warnings.length === 0 ? undefined : warnings };
}

/**
 * One line of JSON for a request, in the form of a CloudTrail record. As there, a call that failed has no recipient, and no
 * record has a secret, a ciphertext or a document.
 */
export function auditLine(request: AuditedRequest): string {
  const { place, now, operation, error, trace, caller } = request;
  const recipient = error === null && trace?.recipient ? recipientRecord(trace.recipient.document) : undefined;
  const keys = [...new Set(trace?.keys.map(({ arn }) => arn))];
  return JSON.stringify({
    eventVersion: '1.11',
    userIdentity: userIdentity(caller),
    eventTime: new Date(now).toISOString().replace(/\.\d{3}Z$/, 'Z'),
    eventSource: 'kms.amazonaws.com',
    eventName: operation,
    awsRegion: place.region,
    sourceIPAddress: request.sourceIp,
    userAgent: request.userAgent,
    errorCode: error === null ? undefined : errorCodeOf(error),
    errorMessage: error === null || error.message === '' ? undefined : error.message,
    requestParameters: request.parameters,
    responseElements: null,
    additionalEventData: recipient === undefined ? undefined : { recipient },
    requestID: request.requestId,
    eventID: randomUUID(),
    readOnly: request.isReadOnly,
    resources: keys.map((arn) => ({ accountId: place.accountId, type: 'AWS::KMS::Key', ARN: arn })),
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: place.accountId,
    eventCategory: 'Management',
    emulator: emulatorRecord(request),
  });
}
