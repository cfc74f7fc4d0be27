import type { KmsPolicyStatement } from './statement.ts';

function principalsOf({ Principal }: KmsPolicyStatement): readonly string[] {
  return typeof Principal.AWS === 'string' ? [Principal.AWS] : Principal.AWS;
}

/** A string of HCL. Everything in a statement has been checked to hold neither quotes nor `${`. */
function hclList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
}

/** The statement as a `statement` block of Terraform's `aws_iam_policy_document`, formatted as `terraform fmt` does. */
export function toTerraform(statement: KmsPolicyStatement): string {
  const conditions = Object.entries(statement.Condition.StringEqualsIgnoreCase).map(
    ([variable, value]) => `
    condition {
      test     = "StringEqualsIgnoreCase"
      variable = ${JSON.stringify(variable)}
      values   = ${hclList([value])}
    }
`,
  );
  return `data "aws_iam_policy_document" "enclave" {
  statement {
    sid       = ${JSON.stringify(statement.Sid)}
    effect    = "Allow"
    actions   = ${hclList(statement.Action)}
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ${hclList(principalsOf(statement))}
    }
${conditions.join('')}  }
}
`;
}

function quoted(text: string): string {
  return `'${text}'`;
}

/** The statement as a call of AWS CDK (version 2, TypeScript) on a `kms.Key` named `key`. */
export function toCdk(statement: KmsPolicyStatement): string {
  const conditions = Object.entries(statement.Condition.StringEqualsIgnoreCase).map(
    ([key, value]) => `        ${quoted(key)}: ${quoted(value)},`,
  );
  const principals = principalsOf(statement).map((arn) => `new iam.ArnPrincipal(${quoted(arn)})`);
  return `key.addToResourcePolicy(
  new iam.PolicyStatement({
    sid: ${quoted(statement.Sid)},
    effect: iam.Effect.ALLOW,
    principals: [${principals.join(', ')}],
    actions: [${statement.Action.map(quoted).join(', ')}],
    resources: ['*'],
    conditions: {
      StringEqualsIgnoreCase: {
${conditions.join('\n')}
      },
    },
  }),
);
`;
}
