import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { KmsPolicyOptions } from '@nitro-enclaves/eif';
import { createKmsPolicyStatement, toCdk, toTerraform, ZERO_PCR } from '@nitro-enclaves/eif';
import { describe, expect, it } from 'vitest';

const ROLE = 'arn:aws:iam::123456789012:role/Webserver';
const pcr = (digit: string): string => digit.repeat(96);
const options = (change: Partial<KmsPolicyOptions> = {}): KmsPolicyOptions => ({
  pcrs: { 0: pcr('a'), 1: pcr('b'), 2: pcr('c') },
  principals: [ROLE],
  ...change,
});

describe('createKmsPolicyStatement', () => {
  it('allows the attested operations for these PCRs alone', () => {
    expect(createKmsPolicyStatement(options({ pcrs: { 0: pcr('A'), 8: pcr('d') } }))).toEqual({
      statement: {
        Sid: 'EnclaveOnly',
        Effect: 'Allow',
        Principal: { AWS: ROLE },
        Action: ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair'],
        Resource: '*',
        Condition: {
          StringEqualsIgnoreCase: {
            'kms:RecipientAttestation:ImageSha384': pcr('a'),
            'kms:RecipientAttestation:PCR8': pcr('d'),
          },
        },
      },
      warnings: [],
    });
  });

  it.each([0, 1, 2, 3, 4, 8] as const)('refuses a PCR%i of zeros, which debug mode has', (index) => {
    const pcrs = { 0: pcr('a'), [index]: ZERO_PCR };
    expect(() => createKmsPolicyStatement(options({ pcrs }))).toThrow(
      expect.objectContaining({ code: 'KMS_POLICY_ZERO_PCR' }),
    );
  });

  it.each<readonly [string, Partial<KmsPolicyOptions>, string]>([
    ['no PCR', { pcrs: {} }, 'KMS_POLICY_NO_PCR'],
    ['a PCR that is none', { pcrs: { 0: 'abc' } }, 'KMS_POLICY_PCR'],
    ['no principal', { principals: [] }, 'KMS_POLICY_PRINCIPAL'],
    ['everybody', { principals: ['*'] }, 'KMS_POLICY_PRINCIPAL'],
    ['a principal that breaks out of its quotes', { principals: [`${ROLE}"]`] }, 'KMS_POLICY_PRINCIPAL'],
    ['a principal that Terraform would expand', { principals: [`${ROLE}\${x}`] }, 'KMS_POLICY_PRINCIPAL'],
    ['no action', { actions: [] }, 'KMS_POLICY_ACTION'],
    ['an action that no attestation goes with', { actions: ['kms:Encrypt' as 'kms:Decrypt'] }, 'KMS_POLICY_ACTION'],
    ['every action', { actions: ['kms:*' as 'kms:Decrypt'] }, 'KMS_POLICY_ACTION'],
    ['a name with a quote', { sid: 'a"b' }, 'KMS_POLICY_SID'],
  ])('refuses %s', (_, change, code) => {
    expect(() => createKmsPolicyStatement(options(change))).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    [[3], ['POLICY_ALLOWS_DEBUG_MODE']],
    [[4], ['POLICY_ALLOWS_DEBUG_MODE']],
    [[3, 4], ['POLICY_ALLOWS_DEBUG_MODE']],
    [[8], ['POLICY_ALLOWS_ANY_SIGNED_IMAGE']],
    [[3, 8], ['POLICY_ALLOWS_ANY_SIGNED_IMAGE']],
    [[1], ['POLICY_ALLOWS_ANY_APPLICATION']],
    [[1, 3, 8], ['POLICY_ALLOWS_ANY_APPLICATION']],
    [[2], ['POLICY_ALLOWS_ANY_KERNEL']],
    [[1, 2], []],
    [[0], []],
    [[0, 3, 8], []],
  ])('of PCRs %j warns %j', (indexes, expected) => {
    const pcrs = Object.fromEntries(indexes.map((index) => [index, pcr('e')]));
    const { warnings } = createKmsPolicyStatement(options({ pcrs }));
    expect(warnings.map(({ code }) => code)).toEqual(expected);
  });
});

describe('toTerraform and toCdk', () => {
  const other = 'arn:aws:iam::123456789012:role/Other';
  const { statement } = createKmsPolicyStatement(options({ pcrs: { 0: pcr('a') }, principals: [ROLE, other] }));

  it('write the same statement for Terraform', () => {
    expect(toTerraform(statement)).toBe(`data "aws_iam_policy_document" "enclave" {
  statement {
    sid       = "EnclaveOnly"
    effect    = "Allow"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["${ROLE}", "${other}"]
    }

    condition {
      test     = "StringEqualsIgnoreCase"
      variable = "kms:RecipientAttestation:ImageSha384"
      values   = ["${pcr('a')}"]
    }
  }
}
`);
  });

  it('write TypeScript for CDK that says the same', () => {
    class Stub {
      readonly value: unknown;
      constructor(value: unknown) {
        this.value = value;
      }
    }
    const statements: { value?: unknown }[] = [];
    const iam = { PolicyStatement: Stub, ArnPrincipal: Stub, Effect: { ALLOW: 'Allow' } };
    const key = { addToResourcePolicy: (added: Stub) => statements.push(added) };
    new Function('key', 'iam', toCdk(statement))(key, iam);
    expect(statements).toEqual([
      new Stub({
        sid: 'EnclaveOnly',
        effect: 'Allow',
        principals: [new Stub(ROLE), new Stub(other)],
        actions: statement.Action,
        resources: ['*'],
        conditions: statement.Condition,
      }),
    ]);
  });

  it('write Terraform that terraform itself leaves as it is (where it is installed)', async ({ skip }) => {
    const child = promisify(execFile)('terraform', ['fmt', '-check', '-diff', '-']);
    child.child.stdin?.on('error', () => undefined).end(toTerraform(statement));
    const result = await child.catch((error: { code?: unknown }) => error);
    skip('code' in result && result.code === 'ENOENT', 'terraform is not installed');
    expect(result).toMatchObject({ stdout: '' });
  });
});
