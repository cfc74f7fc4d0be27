import { EmulatorError } from '../error.ts';
import { partitionOf } from '../kms/arn.ts';

/** What an emulator is told of the instance that it stands for. */
export interface ParentIdentity {
  readonly region?: string | undefined;
  readonly instanceId?: string | undefined;
  readonly roleArn?: string | undefined;
}

const REGION = /^[a-z]{2,}(?:-[a-z]+)+-\d+$/;
const INSTANCE_ID = /^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/;
const ROLE_ARN = /^arn:[a-z][a-z0-9-]*:iam::\d{12}:role\/(?:[!-~]+\/)?[\w+=,.@-]+$/;

function expectForm(value: string | undefined, form: RegExp, expected: string): void {
  if (value === undefined || form.test(value)) return;
  throw new EmulatorError('EMULATOR_ARGUMENT', `expected ${expected}, found ${JSON.stringify(value.slice(0, 128))}`);
}

/**
 * What is measured into PCR3 and PCR4, and stands in certificates, has AWS's form: a misspelt ARN would be measured as well.
 * @throws {EmulatorError} `EMULATOR_ARGUMENT`
 */
export function expectParentIdentity({ region = 'us-east-1', instanceId, roleArn }: ParentIdentity): void {
  expectForm(region, REGION, 'a region such as us-east-1');
  expectForm(instanceId, INSTANCE_ID, 'an instance id such as i-1234567890abcdef0');
  expectForm(roleArn, ROLE_ARN, "a role's ARN such as arn:aws:iam::123456789012:role/Webserver");
  const partition = partitionOf(region);
  if (roleArn === undefined || roleArn.split(':')[1] === partition) return;
  throw new EmulatorError('EMULATOR_ARGUMENT', `expected a role of ${partition}, where ${region} is, found ${roleArn}`);
}
