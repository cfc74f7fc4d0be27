import type { SimulationRequest, StatementOutcome } from '@nitro-enclaves/emulator';
import { createNitroPki, KeyPolicyError, SimulationError, simulate } from '@nitro-enclaves/emulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentOf, PCRS } from './enclave.ts';
import type { PolicyCase } from './policy-cases.ts';
import { ENCLAVE_PCRS, KEY, NOW, POLICY_CASES, ROLE } from './policy-cases.ts';

function policyOf({ statements, version = '2012-10-17' }: Pick<PolicyCase, 'statements' | 'version'>): string {
  return JSON.stringify({ Version: version, Statement: statements });
}

function requestOf(row: PolicyCase): SimulationRequest {
  const {
    principal = ROLE,
    resource = KEY,
    pcrs = ENCLAVE_PCRS,
    identity,
    action,
    kind,
    context,
    encryptionContext,
  } = row;
  return {
    policy: policyOf(row),
    principal,
    resource,
    now: NOW,
    ...(pcrs && { pcrs }),
    ...(kind && { kind }),
    ...(action && { action }),
    ...(context && { context }),
    ...(encryptionContext && { encryptionContext }),
    ...(identity && { identityPolicies: identity.map((Statement) => ({ Version: '2012-10-17', Statement })) }),
  };
}

function nameOf(outcome: StatementOutcome | null): string | null {
  if (outcome === null) return null;
  return outcome.policy === 'key'
    ? `key ${outcome.statement}`
    : `identity ${outcome.identityPolicy} ${outcome.statement}`;
}

function failedCondition(outcome: StatementOutcome | null): string | undefined {
  const mismatch = outcome?.mismatch;
  return mismatch?.element === 'Condition' ? `${mismatch.condition.operator} ${mismatch.condition.key}` : undefined;
}

describe('policy evaluation', () => {
  it('has a table of at least 150 rows, each of its own', () => {
    expect(POLICY_CASES.length).toBeGreaterThanOrEqual(150);
    expect(new Set(POLICY_CASES.map(({ name }) => name)).size).toBe(POLICY_CASES.length);
  });

  it.each(POLICY_CASES)('$name: $decision by $by', (row) => {
    const { decision, decidedBy, explanation } = simulate(requestOf(row));
    expect({ decision, by: nameOf(decidedBy), condition: failedCondition(decidedBy) }).toEqual({
      decision: row.decision,
      by: row.by,
      condition: row.condition,
    });
    expect(explanation.startsWith(row.decision === 'allowed' ? 'Allowed by' : 'Denied')).toBe(true);
  });
});

const ALLOW = { Effect: 'Allow', Principal: '*', Action: 'kms:Decrypt', Resource: '*' };

/** Policies that IAM would refuse, and the code of the refusal. */
const MALFORMED: readonly [name: string, policy: unknown, code: string][] = [
  ['text that is no JSON', '{"Statement": ', 'POLICY_NOT_JSON'],
  ['a list', '[]', 'POLICY_ELEMENT'],
  ['no statement', { Version: '2012-10-17' }, 'POLICY_STATEMENT'],
  ['an empty list of statements', { Statement: [] }, 'POLICY_STATEMENT'],
  ['an unknown version', { Version: '2020-01-01', Statement: ALLOW }, 'POLICY_ELEMENT'],
  ['an unknown element', { Statement: ALLOW, Statements: ALLOW }, 'POLICY_ELEMENT'],
  ['a misspelt Condition', { Statement: { ...ALLOW, Conditions: {} } }, 'POLICY_ELEMENT'],
  ['a statement that is text', { Statement: ['Allow'] }, 'POLICY_STATEMENT'],
  ['an Effect in lower case', { Statement: { ...ALLOW, Effect: 'allow' } }, 'POLICY_STATEMENT'],
  ['a Sid that is a number', { Statement: { ...ALLOW, Sid: 1 } }, 'POLICY_STATEMENT'],
  [
    'one Sid twice',
    {
      Statement: [
        { ...ALLOW, Sid: 'A' },
        { ...ALLOW, Sid: 'A' },
      ],
    },
    'POLICY_STATEMENT',
  ],
  ['no principal', { Statement: { Effect: 'Allow', Action: 'kms:*', Resource: '*' } }, 'POLICY_ELEMENT'],
  ['Principal and NotPrincipal', { Statement: { ...ALLOW, NotPrincipal: '*' } }, 'POLICY_ELEMENT'],
  ['a principal that is text', { Statement: { ...ALLOW, Principal: ROLE } }, 'POLICY_PRINCIPAL'],
  ['a principal of an unknown kind', { Statement: { ...ALLOW, Principal: { Aws: ROLE } } }, 'POLICY_ELEMENT'],
  ['a star inside of a principal', { Statement: { ...ALLOW, Principal: { AWS: `${ROLE}*` } } }, 'POLICY_PRINCIPAL'],
  ['an account of 11 digits', { Statement: { ...ALLOW, Principal: { AWS: '11112222333' } } }, 'POLICY_PRINCIPAL'],
  ['Action and NotAction', { Statement: { ...ALLOW, NotAction: 'kms:*' } }, 'POLICY_ELEMENT'],
  ['an action without its service', { Statement: { ...ALLOW, Action: 'Decrypt' } }, 'POLICY_ACTION'],
  ['an action that is a number', { Statement: { ...ALLOW, Action: 1 } }, 'POLICY_ACTION'],
  ['no resource', { Statement: { Effect: 'Allow', Principal: '*', Action: 'kms:*' } }, 'POLICY_ELEMENT'],
  ['a resource that is no ARN', { Statement: { ...ALLOW, Resource: 'key/*' } }, 'POLICY_RESOURCE'],
  ['a condition that is text', { Statement: { ...ALLOW, Condition: 'x' } }, 'POLICY_ELEMENT'],
  ['an operator that is text', { Statement: { ...ALLOW, Condition: { Bool: 'x' } } }, 'POLICY_ELEMENT'],
  [
    'an unknown operator',
    { Statement: { ...ALLOW, Condition: { StringEqual: { a: 'b' } } } },
    'POLICY_CONDITION_OPERATOR',
  ],
  [
    'an operator in another case',
    { Statement: { ...ALLOW, Condition: { stringEquals: { a: 'b' } } } },
    'POLICY_CONDITION_OPERATOR',
  ],
  [
    'an unknown qualifier',
    { Statement: { ...ALLOW, Condition: { 'ForSome:Bool': { a: 'true' } } } },
    'POLICY_CONDITION_OPERATOR',
  ],
  [
    'NullIfExists',
    { Statement: { ...ALLOW, Condition: { NullIfExists: { a: 'true' } } } },
    'POLICY_CONDITION_OPERATOR',
  ],
  [
    'a number that is none',
    { Statement: { ...ALLOW, Condition: { NumericEquals: { a: 'x' } } } },
    'POLICY_CONDITION_VALUE',
  ],
  [
    'a date that is none',
    { Statement: { ...ALLOW, Condition: { DateLessThan: { a: 'tomorrow' } } } },
    'POLICY_CONDITION_VALUE',
  ],
  [
    'a range that is none',
    { Statement: { ...ALLOW, Condition: { IpAddress: { a: '10.0.0.0/33' } } } },
    'POLICY_CONDITION_VALUE',
  ],
  ['a boolean that is none', { Statement: { ...ALLOW, Condition: { Bool: { a: 'yes' } } } }, 'POLICY_CONDITION_VALUE'],
  [
    'a value that is an object',
    { Statement: { ...ALLOW, Condition: { StringEquals: { a: {} } } } },
    'POLICY_CONDITION_VALUE',
  ],
];

function thrownBy(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a policy of the wrong form', () => {
  it.each(MALFORMED)('is refused: %s', (_, policy, code) => {
    const text = typeof policy === 'string' ? policy : JSON.stringify(policy);
    const error = thrownBy(() => simulate({ policy: text }));
    expect(error).toBeInstanceOf(KeyPolicyError);
    expect(error).toMatchObject({ code });
  });

  it('is never anything but a policy or a KeyPolicyError, whatever the JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const error = thrownBy(() => simulate({ policy: text, principal: ROLE }));
        expect(error === undefined || error instanceof KeyPolicyError).toBe(true);
      }),
    );
  });

  it('is refused in an identity policy that names a principal', () => {
    const policy = policyOf({ statements: [ALLOW] });
    expect(thrownBy(() => simulate({ policy, identityPolicies: [policy] }))).toMatchObject({ code: 'POLICY_ELEMENT' });
  });
});

describe('patterns', () => {
  /** The same matcher as a regular expression: slow on purpose-built patterns, but plain. */
  function oracle(pattern: string, text: string): boolean {
    const source = [...pattern].map((one) =>
      one === '*' ? '[^]*' : one === '?' ? '[^]' : one.replace(/[\\^$.|+()[\]{}]/g, '\\$&'),
    );
    return new RegExp(`^${source.join('')}$`, 'u').test(text);
  }

  it('match what a regular expression matches', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', ':', '.'), maxLength: 12 });
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', ':', '.'), maxLength: 12 });
    fc.assert(
      fc.property(letters, texts, (pattern, text) => {
        const statements = [{ ...ALLOW, Condition: { StringLike: { 'x:Text': pattern } } }];
        const { decision } = simulate({
          policy: policyOf({ statements }),
          principal: ROLE,
          context: { 'x:Text': text },
        });
        expect(decision === 'allowed').toBe(oracle(pattern, text));
      }),
      { numRuns: 2000 },
    );
  });

  it('of many stars end soon', () => {
    const statements = [{ ...ALLOW, Condition: { StringLike: { 'x:Text': `${'a*'.repeat(500)}b` } } }];
    const { decision } = simulate({
      policy: policyOf({ statements }),
      principal: ROLE,
      context: { 'x:Text': 'a'.repeat(5000) },
    });
    expect(decision).toBe('implicitDeny');
  });
});

describe('decisions', () => {
  it('never turn a deny into an allow by one more Deny statement', () => {
    fc.assert(
      fc.property(fc.constantFrom(...POLICY_CASES), fc.constantFrom(...POLICY_CASES), (row, other) => {
        const denials = other.statements.map((one) => ({ ...one, Effect: 'Deny', Sid: undefined }));
        const before = simulate(requestOf(row)).decision;
        const after = simulate({
          ...requestOf(row),
          policy: policyOf({ ...row, statements: [...row.statements, ...denials] }),
        }).decision;
        expect(after === 'allowed' && before !== 'allowed').toBe(false);
        expect(before === 'explicitDeny' && after !== 'explicitDeny').toBe(false);
      }),
    );
  });

  it('are those of any of the statements, in whatever order', () => {
    fc.assert(
      fc.property(fc.constantFrom(...POLICY_CASES), (row) => {
        const reversed = policyOf({ ...row, statements: [...row.statements].reverse() });
        expect(simulate({ ...requestOf(row), policy: reversed }).decision).toBe(row.decision);
      }),
    );
  });
});

describe('a simulation', () => {
  it('takes region, account and partition of what it assumes from the key that the policy names', () => {
    const Resource = 'arn:aws-cn:kms:cn-north-1:999988887777:key/11111111-2222-3333-4444-555555555555';
    const Condition = { StringEquals: { 'aws:RequestedRegion': 'cn-north-1', 'kms:CallerAccount': '999988887777' } };
    const Statement = { Effect: 'Allow', Principal: '*', Action: 'kms:Decrypt', Resource, Condition };
    const { decision, resource, principal } = simulate({ policy: { Version: '2012-10-17', Statement } });
    expect([decision, resource]).toEqual(['allowed', Resource]);
    expect(principal).toBe('arn:aws-cn:sts::999988887777:assumed-role/anybody/emulator');
  });

  const IMAGE = { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:ImageSha384': PCRS[0] } };
  const policy = policyOf({ statements: [{ ...ALLOW, Principal: { AWS: ROLE }, Sid: 'Enclave', Condition: IMAGE }] });

  it('takes the measurements of a document, and the one role that is named', async () => {
    const document = await documentOf(await createNitroPki());
    const result = simulate({ policy, document });
    expect(result).toMatchObject({ decision: 'allowed', action: 'kms:Decrypt' });
    expect(result.explanation).toBe(
      `Allowed by statement 0 (Enclave) of the key policy:\n  met: StringEqualsIgnoreCase kms:RecipientAttestation:ImageSha384: expected ${PCRS[0]}, found ${PCRS[0]}`,
    );
  });

  it('says which condition is not met, and on what', () => {
    const zero = '00'.repeat(48);
    const { decision, explanation } = simulate({ policy, pcrs: { 0: zero } });
    expect(decision).toBe('implicitDeny');
    expect(explanation).toContain(
      `not met: StringEqualsIgnoreCase kms:RecipientAttestation:ImageSha384: expected ${PCRS[0]}, found ${zero}`,
    );
  });

  it('knows that a role acts through temporary credentials, and a user does not', () => {
    const Condition = { Bool: { 'aws:MultiFactorAuthPresent': 'false' } };
    const anybody = policyOf({ statements: [{ ...ALLOW, Principal: '*', Condition }] });
    expect(simulate({ policy: anybody, principal: ROLE }).decision).toBe('allowed');
    const user = 'arn:aws:iam::111122223333:user/alice';
    expect(simulate({ policy: anybody, principal: user }).decision).toBe('implicitDeny');
  });

  it('says that there is no document where there is none', () => {
    expect(simulate({ policy }).explanation).toContain('found none');
  });

  it('asks for a principal where the policy allows several', () => {
    const several = policyOf({ statements: [{ ...ALLOW, Principal: { AWS: [ROLE, `${ROLE}2`] } }] });
    expect(thrownBy(() => simulate({ policy: several }))).toBeInstanceOf(SimulationError);
    expect(thrownBy(() => simulate({ policy: several }))).toMatchObject({ code: 'SIMULATION_PRINCIPAL' });
  });

  it.each([
    ['bytes that are no document', { document: Uint8Array.of(1, 2, 3) }, 'SIMULATION_DOCUMENT'],
    ['a document and PCRs', { document: Uint8Array.of(1), pcrs: {} }, 'SIMULATION_DOCUMENT'],
    ['a PCR of 47 bytes', { pcrs: { 0: '00'.repeat(47) } }, 'SIMULATION_PCR'],
    ['PCR32', { pcrs: { 32: '00'.repeat(48) } }, 'SIMULATION_PCR'],
    ['an action of another service', { action: 's3:GetObject' }, 'SIMULATION_ACTION'],
    ['a principal that is none', { principal: 'alice' }, 'KMS_PRINCIPAL'],
  ])('refuses %s', (_, request, code) => {
    expect(thrownBy(() => simulate({ policy, ...request }))).toMatchObject({ code });
  });
});
