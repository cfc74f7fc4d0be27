/** A statement, or any other part of a policy, as JSON. */
type Json = Readonly<Record<string, unknown>>;

/** One row of the table: a request, and what IAM's and KMS's documentation say about it. */
export interface PolicyCase {
  readonly name: string;
  readonly statements: readonly Json[];
  readonly version?: string;
  /** The caller's identity policies, each as its list of statements. Default: one that allows everything. */
  readonly identity?: readonly (readonly Json[])[];
  readonly principal?: string;
  readonly action?: string;
  readonly resource?: string;
  /** `null` for no recipient. Default: the enclave's. */
  readonly pcrs?: Readonly<Record<number, string>> | null;
  readonly kind?: 'enclave' | 'nitrotpm';
  readonly encryptionContext?: Readonly<Record<string, string>>;
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
  readonly decision: 'allowed' | 'explicitDeny' | 'implicitDeny';
  /** `key 0`: statement 0 of the key policy; `identity 1 0`: statement 0 of identity policy 1; null: none. */
  readonly by: string | null;
  /** For an implicit deny by a condition: which one. */
  readonly condition?: string;
}

export const NOW = Date.UTC(2026, 0, 15, 12, 0, 0);
export const ACCOUNT = '111122223333';
export const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/enclave`;
export const SESSION = `arn:aws:sts::${ACCOUNT}:assumed-role/enclave/i-0abc`;
export const USER = `arn:aws:iam::${ACCOUNT}:user/alice`;
export const STRANGER = 'arn:aws:iam::444455556666:role/stranger';
export const KEY = `arn:aws:kms:us-east-1:${ACCOUNT}:key/11111111-2222-3333-4444-555555555555`;
const OTHER_KEY = `arn:aws:kms:us-east-1:${ACCOUNT}:key/99999999-2222-3333-4444-555555555555`;
const HEX = {
  image: 'a0'.repeat(48),
  boot: 'a1'.repeat(48),
  app: 'a2'.repeat(48),
  role: 'a3'.repeat(48),
  other: 'b0'.repeat(48),
  zero: '00'.repeat(48),
};
export const ENCLAVE_PCRS = { 0: HEX.image, 1: HEX.boot, 2: HEX.app, 3: HEX.role, 8: HEX.zero } as const;

const IMAGE_KEY = 'kms:RecipientAttestation:ImageSha384';
const PCR0_KEY = 'kms:RecipientAttestation:PCR0';

function allow(parts: Json = {}): Json {
  return { Sid: 'Allow', Effect: 'Allow', Principal: { AWS: ROLE }, Action: 'kms:Decrypt', Resource: '*', ...parts };
}

function deny(parts: Json = {}): Json {
  return { Sid: 'Deny', Effect: 'Deny', Principal: { AWS: ROLE }, Action: 'kms:Decrypt', Resource: '*', ...parts };
}

const DELEGATE = allow({ Sid: 'Delegate', Principal: { AWS: ROOT }, Action: 'kms:*' });

/** A row about one condition of an Allow: met or not. */
function condition(
  name: string,
  operator: string,
  expectation: Json,
  isMet: boolean,
  rest: Partial<PolicyCase> = {},
): PolicyCase {
  const [key = ''] = Object.keys(expectation);
  const outcome = isMet
    ? { decision: 'allowed' as const }
    : { decision: 'implicitDeny' as const, condition: `${operator} ${key}` };
  return { name, statements: [allow({ Condition: { [operator]: expectation } })], ...outcome, by: 'key 0', ...rest };
}

const PRINCIPALS: readonly PolicyCase[] = [
  { name: 'the role that is named', statements: [allow()], decision: 'allowed', by: 'key 0' },
  {
    name: 'a session of the role that is named',
    statements: [allow()],
    principal: SESSION,
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'the session that is named',
    statements: [allow({ Principal: { AWS: SESSION } })],
    principal: SESSION,
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'another session than the one named',
    statements: [allow({ Principal: { AWS: SESSION } })],
    principal: `${SESSION}2`,
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'another role than the one named',
    statements: [allow({ Principal: { AWS: `${ROLE}2` } })],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'a role whose name differs in case',
    statements: [allow({ Principal: { AWS: ROLE.toUpperCase().replace('ARN:AWS:IAM', 'arn:aws:iam') } })],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'the user that is named',
    statements: [allow({ Principal: { AWS: USER } })],
    principal: USER,
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'one of two that are named',
    statements: [allow({ Principal: { AWS: [USER, ROLE] } })],
    decision: 'allowed',
    by: 'key 0',
  },
  { name: 'everybody, as text', statements: [allow({ Principal: '*' })], decision: 'allowed', by: 'key 0' },
  { name: 'everybody, as AWS', statements: [allow({ Principal: { AWS: '*' } })], decision: 'allowed', by: 'key 0' },
  { name: 'the account by ARN, and the caller may', statements: [DELEGATE], decision: 'allowed', by: 'key 0' },
  {
    name: 'the account by number, and the caller may',
    statements: [allow({ Principal: { AWS: ACCOUNT } })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'another account',
    statements: [allow({ Principal: { AWS: '444455556666' } })],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'a service is not the role',
    statements: [allow({ Principal: { Service: 's3.amazonaws.com' } })],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'a service beside the role',
    statements: [allow({ Principal: { Service: 's3.amazonaws.com', AWS: ROLE } })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'the root user by its account',
    statements: [allow({ Principal: { AWS: ROOT } })],
    principal: ROOT,
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'NotPrincipal of an Allow takes out the role',
    statements: [{ ...allow({ NotPrincipal: { AWS: ROLE } }), Principal: undefined }],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'NotPrincipal of an Allow leaves in another user',
    statements: [{ ...allow({ NotPrincipal: { AWS: ROLE } }), Principal: undefined }],
    principal: USER,
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'NotPrincipal of a Deny with role, session and account spares the session',
    statements: [allow(), { ...deny({ NotPrincipal: { AWS: [ROLE, SESSION, ROOT] } }), Principal: undefined }],
    principal: SESSION,
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'NotPrincipal of a Deny without the session denies the session',
    statements: [allow(), { ...deny({ NotPrincipal: { AWS: [ROLE, ROOT] } }), Principal: undefined }],
    principal: SESSION,
    decision: 'explicitDeny',
    by: 'key 1',
  },
  {
    name: 'NotPrincipal of a Deny without the account denies the user',
    statements: [
      allow({ Principal: { AWS: USER } }),
      { ...deny({ NotPrincipal: { AWS: USER } }), Principal: undefined },
    ],
    principal: USER,
    decision: 'explicitDeny',
    by: 'key 1',
  },
  {
    name: 'NotPrincipal of a Deny with user and account spares the user',
    statements: [
      allow({ Principal: { AWS: USER } }),
      { ...deny({ NotPrincipal: { AWS: [USER, ROOT] } }), Principal: undefined },
    ],
    principal: USER,
    decision: 'allowed',
    by: 'key 0',
  },
];

const ACTIONS: readonly PolicyCase[] = [
  { name: 'every action of KMS', statements: [allow({ Action: 'kms:*' })], decision: 'allowed', by: 'key 0' },
  { name: 'every action', statements: [allow({ Action: '*' })], decision: 'allowed', by: 'key 0' },
  {
    name: 'an action in another case',
    statements: [allow({ Action: 'KMS:decrypt' })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'one of several actions',
    statements: [allow({ Action: ['kms:Encrypt', 'kms:Decrypt'] })],
    decision: 'allowed',
    by: 'key 0',
  },
  { name: 'another action', statements: [allow({ Action: 'kms:Encrypt' })], decision: 'implicitDeny', by: null },
  {
    name: 'no action at all',
    statements: [allow({ Action: 'kms:Encrypt' }), allow({ Sid: 'Second', Action: 'kms:Sign' })],
    decision: 'implicitDeny',
    by: null,
  },
  { name: 'a star in the middle', statements: [allow({ Action: 'kms:D*t' })], decision: 'allowed', by: 'key 0' },
  {
    name: 'a question mark for one letter',
    statements: [allow({ Action: 'kms:Decryp?' })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'a question mark for no letter',
    statements: [allow({ Action: 'kms:Decrypt?' })],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'GenerateDataKey* reaches the pair',
    statements: [allow({ Action: 'kms:GenerateDataKey*' })],
    action: 'kms:GenerateDataKeyPair',
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'GenerateDataKey does not reach the pair',
    statements: [allow({ Action: 'kms:GenerateDataKey' })],
    action: 'kms:GenerateDataKeyPair',
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'ReEncrypt* reaches both halves',
    statements: [allow({ Action: 'kms:ReEncrypt*' })],
    action: 'kms:ReEncryptFrom',
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'another service with the same action',
    statements: [allow({ Action: 's3:Decrypt' })],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'NotAction leaves in what it does not name',
    statements: [{ ...allow({ NotAction: 'kms:Encrypt' }), Action: undefined }],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'NotAction takes out what it names',
    statements: [{ ...allow({ NotAction: ['kms:Decrypt', 'kms:Sign'] }), Action: undefined }],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'NotAction with a star takes out its family',
    statements: [{ ...allow({ NotAction: 'kms:De*' }), Action: undefined }],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'Deny with NotAction denies everything else',
    statements: [allow({ Action: 'kms:*' }), { ...deny({ NotAction: 'kms:DescribeKey' }), Action: undefined }],
    decision: 'explicitDeny',
    by: 'key 1',
  },
];

const RESOURCES: readonly PolicyCase[] = [
  { name: 'this key by its ARN', statements: [allow({ Resource: KEY })], decision: 'allowed', by: 'key 0' },
  { name: 'another key', statements: [allow({ Resource: OTHER_KEY })], decision: 'implicitDeny', by: 'key 0' },
  {
    name: 'every key of the account',
    statements: [allow({ Resource: `arn:aws:kms:us-east-1:${ACCOUNT}:key/*` })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'every key anywhere',
    statements: [allow({ Resource: 'arn:aws:kms:*:*:key/*' })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'keys of another region',
    statements: [allow({ Resource: 'arn:aws:kms:eu-west-1:*:key/*' })],
    decision: 'implicitDeny',
    by: 'key 0',
  },
  {
    name: 'a question mark in the id',
    statements: [allow({ Resource: KEY.replace(/5$/, '?') })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'an alias is not the key',
    statements: [allow({ Resource: `arn:aws:kms:us-east-1:${ACCOUNT}:alias/*` })],
    decision: 'implicitDeny',
    by: 'key 0',
  },
  { name: 'one of two keys', statements: [allow({ Resource: [OTHER_KEY, KEY] })], decision: 'allowed', by: 'key 0' },
  {
    name: 'NotResource leaves in this key',
    statements: [{ ...allow({ NotResource: OTHER_KEY }), Resource: undefined }],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'NotResource takes out this key',
    statements: [{ ...allow({ NotResource: KEY }), Resource: undefined }],
    decision: 'implicitDeny',
    by: 'key 0',
  },
  {
    name: 'Deny with NotResource of another key denies this one',
    statements: [allow(), { ...deny({ NotResource: OTHER_KEY }), Resource: undefined }],
    decision: 'explicitDeny',
    by: 'key 1',
  },
  {
    name: 'a variable in the resource',
    statements: [allow({ Resource: 'arn:aws:kms:${aws:RequestedRegion}:*:key/*' })],
    version: '2012-10-17',
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'a variable of an old policy is plain text',
    statements: [allow({ Resource: 'arn:aws:kms:${aws:RequestedRegion}:*:key/*' })],
    version: '2008-10-17',
    decision: 'implicitDeny',
    by: 'key 0',
  },
];

const RECIPIENTS: readonly PolicyCase[] = [
  condition('the image', 'StringEqualsIgnoreCase', { [IMAGE_KEY]: HEX.image.toUpperCase() }, true),
  condition('the image, exactly', 'StringEquals', { [IMAGE_KEY]: HEX.image }, true),
  condition('the image in upper case, exactly', 'StringEquals', { [IMAGE_KEY]: HEX.image.toUpperCase() }, false),
  condition('another image', 'StringEqualsIgnoreCase', { [IMAGE_KEY]: HEX.other }, false),
  condition('one of two images', 'StringEqualsIgnoreCase', { [IMAGE_KEY]: [HEX.other, HEX.image] }, true),
  condition('no recipient', 'StringEqualsIgnoreCase', { [IMAGE_KEY]: HEX.image }, false, { pcrs: null }),
  condition('PCR0 is the image', 'StringEqualsIgnoreCase', { [PCR0_KEY]: HEX.image }, true),
  condition('PCR1', 'StringEqualsIgnoreCase', { 'kms:RecipientAttestation:PCR1': HEX.boot }, true),
  condition(
    'PCR2 of another application',
    'StringEqualsIgnoreCase',
    { 'kms:RecipientAttestation:PCR2': HEX.other },
    false,
  ),
  condition('PCR3, the role', 'StringEqualsIgnoreCase', { 'kms:RecipientAttestation:PCR3': HEX.role }, true),
  condition('PCR8 that is zero', 'StringEqualsIgnoreCase', { 'kms:RecipientAttestation:PCR8': HEX.zero }, true),
  condition(
    'a PCR that is not locked',
    'StringEqualsIgnoreCase',
    { 'kms:RecipientAttestation:PCR16': HEX.zero },
    false,
  ),
  condition(
    'PCR16 that the application locked',
    'StringEqualsIgnoreCase',
    { 'kms:RecipientAttestation:PCR16': HEX.other },
    true,
    { pcrs: { ...ENCLAVE_PCRS, 16: HEX.other } },
  ),
  condition('PCR31', 'StringEqualsIgnoreCase', { 'kms:RecipientAttestation:PCR31': HEX.other }, true, {
    pcrs: { ...ENCLAVE_PCRS, 31: HEX.other },
  }),
  condition('debug mode against a release', 'StringEqualsIgnoreCase', { [IMAGE_KEY]: HEX.image }, false, {
    pcrs: { ...ENCLAVE_PCRS, 0: HEX.zero, 1: HEX.zero, 2: HEX.zero },
  }),
  condition('debug mode that the policy asks for', 'StringEqualsIgnoreCase', { [IMAGE_KEY]: HEX.zero }, true, {
    pcrs: { ...ENCLAVE_PCRS, 0: HEX.zero },
  }),
  condition(
    'a NitroTPM PCR of an enclave',
    'StringEqualsIgnoreCase',
    { 'kms:RecipientAttestation:NitroTPMPCR4': HEX.other },
    false,
    { pcrs: { ...ENCLAVE_PCRS, 4: HEX.other } },
  ),
  condition(
    'a NitroTPM PCR of an instance',
    'StringEqualsIgnoreCase',
    { 'kms:RecipientAttestation:NitroTPMPCR4': HEX.other },
    true,
    { pcrs: { 4: HEX.other }, kind: 'nitrotpm' },
  ),
  condition(
    'an enclave PCR of an instance',
    'StringEqualsIgnoreCase',
    { 'kms:RecipientAttestation:PCR4': HEX.other },
    false,
    { pcrs: { 4: HEX.other }, kind: 'nitrotpm' },
  ),
  condition('an image of an instance', 'StringEqualsIgnoreCase', { [IMAGE_KEY]: HEX.other }, false, {
    pcrs: { 0: HEX.other },
    kind: 'nitrotpm',
  }),
  condition('an operation without Recipient', 'StringEqualsIgnoreCase', { [IMAGE_KEY]: HEX.image }, false, {
    statements: [allow({ Action: 'kms:*', Condition: { StringEqualsIgnoreCase: { [IMAGE_KEY]: HEX.image } } })],
    action: 'kms:Encrypt',
  }),
  condition(
    'the name of the key in another case',
    'StringEqualsIgnoreCase',
    { 'KMS:recipientattestation:imagesha384': HEX.image },
    true,
  ),
  {
    name: 'image and PCR3 together',
    statements: [
      allow({
        Condition: { StringEqualsIgnoreCase: { [IMAGE_KEY]: HEX.image, 'kms:RecipientAttestation:PCR3': HEX.role } },
      }),
    ],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'image met, PCR3 not',
    statements: [
      allow({
        Condition: { StringEqualsIgnoreCase: { [IMAGE_KEY]: HEX.image, 'kms:RecipientAttestation:PCR3': HEX.other } },
      }),
    ],
    decision: 'implicitDeny',
    by: 'key 0',
    condition: 'StringEqualsIgnoreCase kms:RecipientAttestation:PCR3',
  },
  {
    name: 'a Deny for everything but the image spares it',
    statements: [allow(), deny({ Condition: { StringNotEqualsIgnoreCase: { [IMAGE_KEY]: HEX.image } } })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'a Deny for everything but the image meets another',
    statements: [allow(), deny({ Condition: { StringNotEqualsIgnoreCase: { [IMAGE_KEY]: HEX.other } } })],
    decision: 'explicitDeny',
    by: 'key 1',
  },
  {
    name: 'a Deny for everything but the image meets whoever has no document',
    statements: [allow(), deny({ Condition: { StringNotEqualsIgnoreCase: { [IMAGE_KEY]: HEX.image } } })],
    pcrs: null,
    decision: 'explicitDeny',
    by: 'key 1',
  },
];

const USERAGENT = { context: { 'aws:UserAgent': 'aws-sdk-js/3.0' } } as const;

const STRINGS: readonly PolicyCase[] = [
  condition('StringEquals', 'StringEquals', { 'aws:UserAgent': 'aws-sdk-js/3.0' }, true, USERAGENT),
  condition('StringEquals with a star is literal', 'StringEquals', { 'aws:UserAgent': 'aws-sdk-*' }, false, USERAGENT),
  condition('StringEquals in another case', 'StringEquals', { 'aws:UserAgent': 'AWS-SDK-JS/3.0' }, false, USERAGENT),
  condition('StringNotEquals of the same', 'StringNotEquals', { 'aws:UserAgent': 'aws-sdk-js/3.0' }, false, USERAGENT),
  condition('StringNotEquals of another', 'StringNotEquals', { 'aws:UserAgent': 'curl' }, true, USERAGENT),
  condition(
    'StringNotEquals of two, one the same',
    'StringNotEquals',
    { 'aws:UserAgent': ['curl', 'aws-sdk-js/3.0'] },
    false,
    USERAGENT,
  ),
  condition('StringEqualsIgnoreCase', 'StringEqualsIgnoreCase', { 'aws:UserAgent': 'AWS-sdk-JS/3.0' }, true, USERAGENT),
  condition(
    'StringNotEqualsIgnoreCase',
    'StringNotEqualsIgnoreCase',
    { 'aws:UserAgent': 'AWS-sdk-JS/3.0' },
    false,
    USERAGENT,
  ),
  condition('StringLike with a star', 'StringLike', { 'aws:UserAgent': 'aws-sdk-*' }, true, USERAGENT),
  condition('StringLike with question marks', 'StringLike', { 'aws:UserAgent': 'aws-sdk-??/3.0' }, true, USERAGENT),
  condition('StringLike is case-sensitive', 'StringLike', { 'aws:UserAgent': 'AWS-*' }, false, USERAGENT),
  condition('StringLike must reach the end', 'StringLike', { 'aws:UserAgent': '*js' }, false, USERAGENT),
  condition('StringLike with a dot is literal', 'StringLike', { 'aws:UserAgent': 'aws.sdk*' }, false, USERAGENT),
  condition('StringNotLike', 'StringNotLike', { 'aws:UserAgent': 'aws-*' }, false, USERAGENT),
  condition('StringNotLike of another', 'StringNotLike', { 'aws:UserAgent': 'curl*' }, true, USERAGENT),
  condition('a missing key equals nothing', 'StringEquals', { 'aws:SourceVpce': '' }, false),
  condition('a missing key is like nothing', 'StringLike', { 'aws:SourceVpce': '*' }, false),
  condition('a missing key is unequal to everything', 'StringNotEquals', { 'aws:SourceVpce': 'vpce-1' }, true),
  condition('a list without values lets nothing through', 'StringEquals', { 'aws:UserAgent': [] }, false, USERAGENT),
];

const KEYS = { encryptionContext: { tenant: 'a', purpose: 'orders' } } as const;
const NAMES = 'kms:EncryptionContextKeys';

const SETS: readonly PolicyCase[] = [
  condition('ForAnyValue: one of them', 'ForAnyValue:StringEquals', { [NAMES]: ['tenant', 'x'] }, true, KEYS),
  condition('ForAnyValue: none of them', 'ForAnyValue:StringEquals', { [NAMES]: ['x', 'y'] }, false, KEYS),
  condition('ForAnyValue of nothing', 'ForAnyValue:StringEquals', { [NAMES]: ['tenant'] }, false),
  condition(
    'ForAllValues: all of them',
    'ForAllValues:StringEquals',
    { [NAMES]: ['tenant', 'purpose', 'z'] },
    true,
    KEYS,
  ),
  condition('ForAllValues: one too many', 'ForAllValues:StringEquals', { [NAMES]: ['tenant'] }, false, KEYS),
  condition('ForAllValues of nothing is true', 'ForAllValues:StringEquals', { [NAMES]: ['tenant'] }, true),
  condition('ForAnyValue with a pattern', 'ForAnyValue:StringLike', { [NAMES]: 'ten*' }, true, KEYS),
  condition('ForAllValues with patterns', 'ForAllValues:StringLike', { [NAMES]: ['t*', 'p*'] }, true, KEYS),
  condition(
    'ForAnyValue:StringNotEquals, one differs',
    'ForAnyValue:StringNotEquals',
    { [NAMES]: ['tenant'] },
    true,
    KEYS,
  ),
  condition(
    'ForAnyValue:StringNotEquals, none differs',
    'ForAnyValue:StringNotEquals',
    { [NAMES]: ['tenant', 'purpose'] },
    false,
    KEYS,
  ),
  condition('ForAnyValue:StringNotEquals of nothing', 'ForAnyValue:StringNotEquals', { [NAMES]: ['tenant'] }, false),
  condition('ForAllValues:StringNotEquals, all differ', 'ForAllValues:StringNotEquals', { [NAMES]: ['x'] }, true, KEYS),
  condition(
    'ForAllValues:StringNotEquals, one does not',
    'ForAllValues:StringNotEquals',
    { [NAMES]: ['tenant'] },
    false,
    KEYS,
  ),
  condition(
    'ForAnyValue:StringEqualsIgnoreCase',
    'ForAnyValue:StringEqualsIgnoreCase',
    { [NAMES]: 'TENANT' },
    true,
    KEYS,
  ),
  condition('ForAnyValue:…IfExists of nothing', 'ForAnyValue:StringEqualsIfExists', { [NAMES]: 'tenant' }, true),
  condition(
    'ForAllValues over an alias list',
    'ForAllValues:StringLike',
    { 'kms:ResourceAliases': 'alias/enclave-*' },
    true,
    { context: { 'kms:ResourceAliases': ['alias/enclave-a', 'alias/enclave-b'] } },
  ),
  condition(
    'ForAnyValue over an alias list',
    'ForAnyValue:StringEquals',
    { 'kms:ResourceAliases': 'alias/other' },
    false,
    { context: { 'kms:ResourceAliases': ['alias/enclave-a'] } },
  ),
];

const EXISTENCE: readonly PolicyCase[] = [
  condition('IfExists without the key', 'StringEqualsIfExists', { 'aws:SourceVpce': 'vpce-1' }, true),
  condition('IfExists with the right value', 'StringEqualsIfExists', { 'aws:SourceVpce': 'vpce-1' }, true, {
    context: { 'aws:SourceVpce': 'vpce-1' },
  }),
  condition('IfExists with a wrong value', 'StringEqualsIfExists', { 'aws:SourceVpce': 'vpce-1' }, false, {
    context: { 'aws:SourceVpce': 'vpce-2' },
  }),
  condition(
    'StringNotEqualsIfExists with the value',
    'StringNotEqualsIfExists',
    { 'aws:SourceVpce': 'vpce-1' },
    false,
    { context: { 'aws:SourceVpce': 'vpce-1' } },
  ),
  condition(
    'IfExists lets whoever has no document through',
    'StringEqualsIgnoreCaseIfExists',
    { [IMAGE_KEY]: HEX.image },
    true,
    { pcrs: null },
  ),
  condition(
    'NumericLessThanIfExists without the key',
    'NumericLessThanIfExists',
    { 'aws:MultiFactorAuthAge': '3600' },
    true,
  ),
  condition('BoolIfExists without the key', 'BoolIfExists', { 'x:Flag': 'true' }, true),
  condition('IpAddressIfExists without the key', 'IpAddressIfExists', { 'aws:SourceIp': '10.0.0.0/8' }, true),
  condition('Null true and absent', 'Null', { [IMAGE_KEY]: 'true' }, true, { pcrs: null }),
  condition('Null true and present', 'Null', { [IMAGE_KEY]: 'true' }, false),
  condition('Null false and present', 'Null', { [IMAGE_KEY]: 'false' }, true),
  condition('Null false and absent', 'Null', { [IMAGE_KEY]: 'false' }, false, { pcrs: null }),
  condition('Null as JSON boolean', 'Null', { [IMAGE_KEY]: false }, true),
  {
    name: 'a Deny for whoever has no document',
    statements: [allow(), deny({ Condition: { Null: { [IMAGE_KEY]: 'true' } } })],
    pcrs: null,
    decision: 'explicitDeny',
    by: 'key 1',
  },
  {
    name: 'a Deny for whoever has no document spares who has one',
    statements: [allow(), deny({ Condition: { Null: { [IMAGE_KEY]: 'true' } } })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'a Deny with IfExists meets who has no document',
    statements: [allow(), deny({ Condition: { StringEqualsIfExists: { [IMAGE_KEY]: HEX.other } } })],
    pcrs: null,
    decision: 'explicitDeny',
    by: 'key 1',
  },
];

const DAYS = { context: { 'kms:ScheduleKeyDeletionPendingWindowInDays': '14' } } as const;
const DAYS_KEY = 'kms:ScheduleKeyDeletionPendingWindowInDays';

const NUMBERS: readonly PolicyCase[] = [
  condition('NumericEquals', 'NumericEquals', { [DAYS_KEY]: '14' }, true, DAYS),
  condition('NumericEquals with decimals', 'NumericEquals', { [DAYS_KEY]: '14.0' }, true, DAYS),
  condition('NumericEquals of another', 'NumericEquals', { [DAYS_KEY]: '7' }, false, DAYS),
  condition('NumericEquals as JSON number', 'NumericEquals', { [DAYS_KEY]: 14 }, true, DAYS),
  condition('NumericNotEquals', 'NumericNotEquals', { [DAYS_KEY]: '14' }, false, DAYS),
  condition('NumericNotEquals of another', 'NumericNotEquals', { [DAYS_KEY]: '7' }, true, DAYS),
  condition('NumericLessThan is not for equals', 'NumericLessThan', { [DAYS_KEY]: '14' }, false, DAYS),
  condition('NumericLessThan', 'NumericLessThan', { [DAYS_KEY]: '15' }, true, DAYS),
  condition('NumericLessThanEquals', 'NumericLessThanEquals', { [DAYS_KEY]: '14' }, true, DAYS),
  condition('NumericGreaterThan is not for equals', 'NumericGreaterThan', { [DAYS_KEY]: '14' }, false, DAYS),
  condition('NumericGreaterThan compares numbers, not texts', 'NumericGreaterThan', { [DAYS_KEY]: '9' }, true, DAYS),
  condition('NumericGreaterThanEquals', 'NumericGreaterThanEquals', { [DAYS_KEY]: '15' }, false, DAYS),
  condition('a number that is none', 'NumericEquals', { [DAYS_KEY]: '14' }, false, {
    context: { [DAYS_KEY]: 'fourteen' },
  }),
  condition('a number that is missing', 'NumericLessThan', { [DAYS_KEY]: '14' }, false),
];

const DATES: readonly PolicyCase[] = [
  condition('DateGreaterThan the past', 'DateGreaterThan', { 'aws:CurrentTime': '2026-01-01T00:00:00Z' }, true),
  condition('DateGreaterThan the future', 'DateGreaterThan', { 'aws:CurrentTime': '2026-02-01T00:00:00Z' }, false),
  condition('DateLessThan the future', 'DateLessThan', { 'aws:CurrentTime': '2026-02-01T00:00:00Z' }, true),
  condition('DateLessThan now', 'DateLessThan', { 'aws:CurrentTime': '2026-01-15T12:00:00Z' }, false),
  condition('DateLessThanEquals now', 'DateLessThanEquals', { 'aws:CurrentTime': '2026-01-15T12:00:00Z' }, true),
  condition('DateEquals in another zone', 'DateEquals', { 'aws:CurrentTime': '2026-01-15T14:00:00+02:00' }, true),
  condition('DateNotEquals now', 'DateNotEquals', { 'aws:CurrentTime': '2026-01-15T12:00:00Z' }, false),
  condition('a date without a time', 'DateGreaterThanEquals', { 'aws:CurrentTime': '2026-01-15' }, true),
  condition('seconds since the epoch', 'DateLessThan', { 'aws:CurrentTime': '1900000000' }, true),
  condition('aws:EpochTime against a date', 'DateGreaterThan', { 'aws:EpochTime': '2026-01-01T00:00:00Z' }, true),
  condition('aws:EpochTime as a number', 'NumericLessThan', { 'aws:EpochTime': '1768478399' }, false),
  {
    name: 'between two dates',
    statements: [
      allow({
        Condition: {
          DateGreaterThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' },
          DateLessThan: { 'aws:CurrentTime': '2026-01-10T00:00:00Z' },
        },
      }),
    ],
    decision: 'implicitDeny',
    by: 'key 0',
    condition: 'DateLessThan aws:CurrentTime',
  },
];

function from(address: string): Partial<PolicyCase> {
  return { context: { 'aws:SourceIp': address } };
}

const ADDRESSES: readonly PolicyCase[] = [
  condition('an address within', 'IpAddress', { 'aws:SourceIp': '203.0.113.0/24' }, true, from('203.0.113.255')),
  condition('an address without', 'IpAddress', { 'aws:SourceIp': '203.0.113.0/24' }, false, from('203.0.114.0')),
  condition('an address alone', 'IpAddress', { 'aws:SourceIp': '203.0.113.7' }, true, from('203.0.113.7')),
  condition(
    'one of two ranges',
    'IpAddress',
    { 'aws:SourceIp': ['10.0.0.0/8', '203.0.113.0/24'] },
    true,
    from('10.255.0.1'),
  ),
  condition('NotIpAddress within', 'NotIpAddress', { 'aws:SourceIp': '203.0.113.0/24' }, false, from('203.0.113.1')),
  condition('NotIpAddress without', 'NotIpAddress', { 'aws:SourceIp': '203.0.113.0/24' }, true, from('198.51.100.1')),
  condition('IPv6 within', 'IpAddress', { 'aws:SourceIp': '2001:db8::/32' }, true, from('2001:db8:1::1')),
  condition('IPv6 without', 'IpAddress', { 'aws:SourceIp': '2001:db8::/32' }, false, from('2001:db9::1')),
  condition('IPv4 against IPv6', 'IpAddress', { 'aws:SourceIp': '2001:db8::/32' }, false, from('203.0.113.1')),
  condition('the whole of IPv4', 'IpAddress', { 'aws:SourceIp': '0.0.0.0/0' }, true, from('203.0.113.1')),
  condition('no address', 'IpAddress', { 'aws:SourceIp': '0.0.0.0/0' }, false),
  condition('no address is not one of these', 'NotIpAddress', { 'aws:SourceIp': '10.0.0.0/8' }, true),
];

const ARNS: readonly PolicyCase[] = [
  condition('ArnEquals', 'ArnEquals', { 'aws:PrincipalArn': ROLE }, true),
  condition('ArnEquals of the role of a session', 'ArnEquals', { 'aws:PrincipalArn': ROLE }, true, {
    principal: SESSION,
  }),
  condition('ArnLike with a star', 'ArnLike', { 'aws:PrincipalArn': `arn:aws:iam::${ACCOUNT}:role/*` }, true),
  condition('ArnEquals takes wildcards too', 'ArnEquals', { 'aws:PrincipalArn': 'arn:aws:iam::*:role/enclave' }, true),
  condition(
    'a star does not reach over a colon',
    'ArnLike',
    { 'aws:PrincipalArn': 'arn:aws:*:role/enclave:x:y' },
    false,
  ),
  condition(
    'ArnLike with a variable before the last colon',
    'ArnLike',
    { 'aws:PrincipalArn': 'arn:aws:iam::${aws:PrincipalAccount}:role/*' },
    true,
  ),
  condition(
    'ArnEquals with a variable for everything',
    'ArnEquals',
    { 'aws:PrincipalArn': '${aws:PrincipalArn}' },
    true,
  ),
  condition(
    'ArnLike with a variable of another account',
    'ArnLike',
    { 'aws:PrincipalArn': 'arn:aws:iam::${aws:PrincipalAccount}:user/*' },
    false,
  ),
  condition(
    'ArnNotLike with a variable',
    'ArnNotLike',
    { 'aws:PrincipalArn': 'arn:aws:iam::${aws:PrincipalAccount}:role/*' },
    false,
  ),
  condition('ArnLike of another', 'ArnLike', { 'aws:PrincipalArn': 'arn:aws:iam::*:user/*' }, false),
  condition('ArnNotEquals', 'ArnNotEquals', { 'aws:PrincipalArn': ROLE }, false),
  condition('ArnNotLike of another', 'ArnNotLike', { 'aws:PrincipalArn': 'arn:aws:iam::*:user/*' }, true),
  condition('ArnLike of a missing key', 'ArnLike', { 'aws:SourceArn': 'arn:aws:s3:::bucket' }, false),
  condition('ArnNotLike of a missing key', 'ArnNotLike', { 'aws:SourceArn': 'arn:aws:s3:::bucket' }, true),
];

const OTHERS: readonly PolicyCase[] = [
  condition('Bool true', 'Bool', { 'aws:SecureTransport': 'true' }, true),
  condition('Bool false', 'Bool', { 'aws:SecureTransport': 'false' }, false),
  condition('Bool as JSON boolean', 'Bool', { 'aws:SecureTransport': true }, true),
  condition('Bool in upper case', 'Bool', { 'aws:SecureTransport': 'TRUE' }, true),
  condition('Bool of a missing key', 'Bool', { 'x:Flag': 'false' }, false),
  condition('Bool of what only sessions have', 'Bool', { 'aws:MultiFactorAuthPresent': 'false' }, true),
  condition('BinaryEquals', 'BinaryEquals', { 'x:Blob': 'AQI=' }, true, { context: { 'x:Blob': 'AQI=' } }),
  condition('BinaryEquals of another', 'BinaryEquals', { 'x:Blob': 'AQI=' }, false, { context: { 'x:Blob': 'AQM=' } }),
];

const CONTEXTS: readonly PolicyCase[] = [
  condition('the value of a pair', 'StringEquals', { 'kms:EncryptionContext:tenant': 'a' }, true, KEYS),
  condition('another value', 'StringEquals', { 'kms:EncryptionContext:tenant': 'b' }, false, KEYS),
  condition('a value in another case', 'StringEquals', { 'kms:EncryptionContext:tenant': 'A' }, false, KEYS),
  condition('a name in another case', 'StringEquals', { 'kms:EncryptionContext:Tenant': 'a' }, true, KEYS),
  condition('a pair that is missing', 'StringEquals', { 'kms:EncryptionContext:user': 'a' }, false, KEYS),
  condition('a pattern of values', 'StringLike', { 'kms:EncryptionContext:purpose': 'ord*' }, true, KEYS),
  condition('no context at all', 'StringEquals', { 'kms:EncryptionContext:tenant': 'a' }, false),
  {
    name: 'two pairs, both',
    statements: [
      allow({
        Condition: { StringEquals: { 'kms:EncryptionContext:tenant': 'a', 'kms:EncryptionContext:purpose': 'orders' } },
      }),
    ],
    ...KEYS,
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'two pairs, the second wrong',
    statements: [
      allow({
        Condition: { StringEquals: { 'kms:EncryptionContext:tenant': 'a', 'kms:EncryptionContext:purpose': 'x' } },
      }),
    ],
    ...KEYS,
    decision: 'implicitDeny',
    by: 'key 0',
    condition: 'StringEquals kms:EncryptionContext:purpose',
  },
  condition('a pair named after the prototype', 'StringEquals', { 'kms:EncryptionContext:__proto__': 'a' }, false),
  condition('some context, whatever it is', 'Null', { [NAMES]: 'false' }, true, KEYS),
  condition(
    'the tenant of the role tag',
    'StringEquals',
    { 'kms:EncryptionContext:tenant': '${aws:PrincipalTag/tenant}' },
    true,
    { ...KEYS, context: { 'aws:PrincipalTag/tenant': 'a' } },
  ),
  condition(
    'the tenant of another tag',
    'StringEquals',
    { 'kms:EncryptionContext:tenant': '${aws:PrincipalTag/tenant}' },
    false,
    { ...KEYS, context: { 'aws:PrincipalTag/tenant': 'b' } },
  ),
];

const GLOBALS: readonly PolicyCase[] = [
  condition('kms:ViaService', 'StringEquals', { 'kms:ViaService': 's3.us-east-1.amazonaws.com' }, true, {
    context: { 'kms:ViaService': 's3.us-east-1.amazonaws.com' },
  }),
  condition('kms:ViaService of another', 'StringEquals', { 'kms:ViaService': 's3.us-east-1.amazonaws.com' }, false, {
    context: { 'kms:ViaService': 'ec2.us-east-1.amazonaws.com' },
  }),
  condition('a call that came directly', 'StringEquals', { 'kms:ViaService': 's3.us-east-1.amazonaws.com' }, false),
  condition('kms:CallerAccount', 'StringEquals', { 'kms:CallerAccount': ACCOUNT }, true),
  condition('aws:PrincipalAccount of another', 'StringEquals', { 'aws:PrincipalAccount': '444455556666' }, false),
  condition('aws:PrincipalType', 'StringEquals', { 'aws:PrincipalType': 'AssumedRole' }, true),
  condition('aws:RequestedRegion', 'StringEquals', { 'aws:RequestedRegion': ['eu-west-1', 'us-east-1'] }, true),
  condition('aws:username of a user', 'StringEquals', { 'aws:username': 'alice' }, true, {
    statements: [allow({ Principal: { AWS: USER }, Condition: { StringEquals: { 'aws:username': 'alice' } } })],
    principal: USER,
  }),
  condition('aws:username of a role', 'StringEquals', { 'aws:username': 'enclave' }, false),
  condition('kms:KeySpec', 'StringEquals', { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' }, true),
  condition('kms:EncryptionAlgorithm', 'StringEquals', { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_256' }, false),
  condition('aws:ResourceTag', 'StringEquals', { 'aws:ResourceTag/stage': 'prod' }, true, {
    context: { 'aws:ResourceTag/stage': 'prod' },
  }),
  condition('a key that nobody knows', 'StringEquals', { 'aws:Unheard': 'of' }, false),
  condition(
    'a variable with a default',
    'StringEquals',
    { 'aws:RequestedRegion': "${aws:PrincipalTag/region, 'us-east-1'}" },
    true,
  ),
  condition(
    'a variable without a value',
    'StringLike',
    { 'aws:RequestedRegion': '*${aws:PrincipalTag/region}' },
    false,
  ),
  condition(
    'a variable whose value is a star',
    'StringLike',
    { 'aws:RequestedRegion': '${aws:PrincipalTag/region}' },
    false,
    { context: { 'aws:PrincipalTag/region': '*' } },
  ),
  condition('an escaped star', 'StringLike', { 'aws:PrincipalTag/stage': 'a${*}b' }, true, {
    context: { 'aws:PrincipalTag/stage': 'a*b' },
  }),
  condition('an escaped star is no wildcard', 'StringLike', { 'aws:PrincipalTag/stage': 'a${*}b' }, false, {
    context: { 'aws:PrincipalTag/stage': 'axb' },
  }),
  condition(
    'a variable of an old policy',
    'StringEquals',
    { 'aws:PrincipalTag/stage': '${aws:RequestedRegion}' },
    true,
    { version: '2008-10-17', context: { 'aws:PrincipalTag/stage': '${aws:RequestedRegion}' } },
  ),
];

const DECRYPT_ALLOWED = [{ Sid: 'Decrypt', Effect: 'Allow', Action: 'kms:Decrypt', Resource: KEY }];
const ENCRYPT_ALLOWED = [{ Sid: 'Encrypt', Effect: 'Allow', Action: 'kms:Encrypt', Resource: '*' }];
const DECRYPT_DENIED = [{ Sid: 'NoDecrypt', Effect: 'Deny', Action: 'kms:Decrypt', Resource: '*' }];

const COMBINATIONS: readonly PolicyCase[] = [
  { name: 'a Deny after the Allow', statements: [allow(), deny()], decision: 'explicitDeny', by: 'key 1' },
  { name: 'a Deny before the Allow', statements: [deny(), allow()], decision: 'explicitDeny', by: 'key 0' },
  {
    name: 'a Deny for everybody',
    statements: [allow(), deny({ Principal: '*' })],
    decision: 'explicitDeny',
    by: 'key 1',
  },
  {
    name: 'a Deny for the account',
    statements: [allow(), deny({ Principal: { AWS: ROOT } })],
    decision: 'explicitDeny',
    by: 'key 1',
  },
  {
    name: 'a Deny for somebody else',
    statements: [allow(), deny({ Principal: { AWS: USER } })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'a Deny of another action',
    statements: [allow(), deny({ Action: 'kms:Encrypt' })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'a Deny of another key',
    statements: [allow(), deny({ Resource: OTHER_KEY })],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'a Deny whose condition is not met',
    statements: [allow(), deny({ Condition: { Bool: { 'aws:SecureTransport': 'false' } } })],
    decision: 'allowed',
    by: 'key 0',
  },
  { name: 'a Deny without an Allow', statements: [deny()], decision: 'explicitDeny', by: 'key 0' },
  {
    name: 'the second of two Allows',
    statements: [
      allow({ Sid: 'First', Condition: { StringEquals: { [IMAGE_KEY]: HEX.other } } }),
      allow({ Sid: 'Second', Condition: { StringEquals: { [IMAGE_KEY]: HEX.image } } }),
    ],
    decision: 'allowed',
    by: 'key 1',
  },
  {
    name: 'the Allow that came closest',
    statements: [
      allow({ Sid: 'First', Condition: { StringEquals: { [IMAGE_KEY]: HEX.other, [PCR0_KEY]: HEX.other } } }),
      allow({ Sid: 'Second', Condition: { StringEquals: { [IMAGE_KEY]: HEX.image, [PCR0_KEY]: HEX.other } } }),
    ],
    decision: 'implicitDeny',
    by: 'key 1',
    condition: `StringEquals ${PCR0_KEY}`,
  },
  {
    name: 'the role by name needs no policy of its own',
    statements: [allow()],
    identity: [],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'the account by name needs the policy of the role',
    statements: [DELEGATE],
    identity: [],
    decision: 'implicitDeny',
    by: 'key 0',
  },
  {
    name: 'the account and the policy of the role',
    statements: [DELEGATE],
    identity: [DECRYPT_ALLOWED],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'the account and a policy for something else',
    statements: [DELEGATE],
    identity: [ENCRYPT_ALLOWED],
    decision: 'implicitDeny',
    by: 'key 0',
  },
  {
    name: 'a policy of the role alone is not enough',
    statements: [allow({ Principal: { AWS: USER } })],
    identity: [DECRYPT_ALLOWED],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'a Deny in the policy of the role',
    statements: [allow()],
    identity: [DECRYPT_DENIED],
    decision: 'explicitDeny',
    by: 'identity 0 0',
  },
  {
    name: 'a Deny in the second policy of the role',
    statements: [allow()],
    identity: [DECRYPT_ALLOWED, DECRYPT_DENIED],
    decision: 'explicitDeny',
    by: 'identity 1 0',
  },
  {
    name: 'a condition in the policy of the role',
    statements: [DELEGATE],
    identity: [
      [{ Effect: 'Allow', Action: 'kms:*', Resource: '*', Condition: { StringEquals: { [IMAGE_KEY]: HEX.other } } }],
    ],
    decision: 'implicitDeny',
    by: 'identity 0 0',
    condition: `StringEquals ${IMAGE_KEY}`,
  },
  {
    name: 'another account, named by both',
    statements: [allow({ Principal: { AWS: STRANGER } })],
    principal: STRANGER,
    identity: [DECRYPT_ALLOWED],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'another account, named by the key only',
    statements: [allow({ Principal: { AWS: STRANGER } })],
    principal: STRANGER,
    identity: [],
    decision: 'implicitDeny',
    by: 'key 0',
  },
  {
    name: 'another account, allowed by itself only',
    statements: [allow()],
    principal: STRANGER,
    identity: [DECRYPT_ALLOWED],
    decision: 'implicitDeny',
    by: null,
  },
  {
    name: 'everybody, from another account, with its permission',
    statements: [allow({ Principal: '*' })],
    principal: STRANGER,
    identity: [DECRYPT_ALLOWED],
    decision: 'allowed',
    by: 'key 0',
  },
  {
    name: 'everybody, kept to the account by a condition',
    statements: [allow({ Principal: '*', Condition: { StringEquals: { 'kms:CallerAccount': ACCOUNT } } })],
    principal: STRANGER,
    identity: [DECRYPT_ALLOWED],
    decision: 'implicitDeny',
    by: 'key 0',
    condition: 'StringEquals kms:CallerAccount',
  },
  {
    name: 'GenerateRandom asks no key policy',
    statements: [deny({ Principal: '*', Action: 'kms:*' })],
    action: 'kms:GenerateRandom',
    identity: [[{ Effect: 'Allow', Action: 'kms:GenerateRandom', Resource: '*' }]],
    decision: 'allowed',
    by: 'identity 0 0',
  },
  {
    name: 'GenerateRandom for an image, by the policy of the role',
    statements: [allow()],
    action: 'kms:GenerateRandom',
    identity: [
      [
        {
          Effect: 'Allow',
          Action: 'kms:GenerateRandom',
          Resource: '*',
          Condition: { StringEquals: { [PCR0_KEY]: HEX.other } },
        },
      ],
    ],
    decision: 'implicitDeny',
    by: 'identity 0 0',
    condition: `StringEquals ${PCR0_KEY}`,
  },
  {
    name: 'GenerateRandom without any policy',
    statements: [allow({ Action: 'kms:*' })],
    action: 'kms:GenerateRandom',
    identity: [],
    decision: 'implicitDeny',
    by: null,
  },
];

/** The whole table. */
export const POLICY_CASES: readonly PolicyCase[] = [
  ...PRINCIPALS,
  ...ACTIONS,
  ...RESOURCES,
  ...RECIPIENTS,
  ...STRINGS,
  ...SETS,
  ...EXISTENCE,
  ...NUMBERS,
  ...DATES,
  ...ADDRESSES,
  ...ARNS,
  ...OTHERS,
  ...CONTEXTS,
  ...GLOBALS,
  ...COMBINATIONS,
];
