// What both demos have in common: keys and their policy, the input, and what has to come out.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createKmsPolicyStatement } from '@nitro-enclaves/eif';
import { INPUT_CONTEXT } from '@nitro-enclaves-examples/process-file';
import { paymentsFile } from './payments-file.mjs';

export const REGION = 'eu-west-1';
export const ACCOUNT = '111122223333';
export const INPUT_KEY_ID = '11111111-2222-4333-8444-555555555501';
export const RESULT_KEY_ID = '11111111-2222-4333-8444-555555555502';
export const CREDENTIALS_TOKEN = 'what the parent has granted';

export function arnOf(keyId) {
  return `arn:aws:kms:${REGION}:${ACCOUNT}:key/${keyId}`;
}

/** The environment of the image: part of what is measured. */
export const IMAGE_ENVIRONMENT = [
  `AWS_REGION=${REGION}`,
  `INPUT_KEY_ARN=${arnOf(INPUT_KEY_ID)}`,
  `RESULT_KEY_ARN=${arnOf(RESULT_KEY_ID)}`,
  `CREDENTIALS_TOKEN=${CREDENTIALS_TOKEN}`,
  'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true',
];

/** Cryptography for one image only; the rest for the account. */
export function keyPolicy({ PCR0, PCR1, PCR2 }, actions) {
  const principals = [`arn:aws:iam::${ACCOUNT}:root`];
  const { statement } = createKmsPolicyStatement({ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 }, principals, actions });
  const administration = {
    Sid: 'Account',
    Effect: 'Allow',
    Principal: { AWS: principals },
    NotAction: actions,
    Resource: '*',
  };
  return { Version: '2012-10-17', Statement: [administration, statement] };
}

/** The keys of the job, each with the policy that lets one image use it. */
export function jobKeys(pcrs) {
  return [
    { keyId: INPUT_KEY_ID, alias: 'alias/payments', policy: JSON.stringify(keyPolicy(pcrs, ['kms:Decrypt'])) },
    {
      keyId: RESULT_KEY_ID,
      alias: 'alias/summaries',
      policy: JSON.stringify(keyPolicy(pcrs, ['kms:GenerateDataKey'])),
    },
  ];
}

/** What the sender knows of its own file. */
class Expected {
  rows = 0;
  cents = 0;
  outliers = [];
  add({ id, cents, isOutlier }) {
    this.rows += 1;
    this.cents += cents;
    if (isOutlier) this.outliers.push(id);
  }
}

/** An input of `bytes` bytes, encrypted as it is made, and what has to come out of it. */
export function makeInput(encryption, { bytes, outliers, context = INPUT_CONTEXT }) {
  const expected = new Expected();
  const plaintext = Readable.from(paymentsFile({ bytes, outliers, onRow: (row) => expected.add(row) }));
  return { file: plaintext.pipe(encryption.encryptStream({ context })), expected };
}

/** Compares a summary with what the sender knows. */
export function reportSummary(report, summary, expected) {
  const found = summary.outliers.map(({ id }) => id);
  report.expect(
    summary.rows === expected.rows && summary.rejectedRows === 0,
    `${summary.rows} payments were read, none was lost`,
  );
  report.expect(summary.cents === expected.cents, `${(summary.cents / 100).toFixed(2)} in all, to the cent`);
  report.expect(JSON.stringify(found) === JSON.stringify(expected.outliers), `the outliers are ${found.join(', ')}`);
  for (const { merchant, payments, cents } of summary.merchants.slice(0, 3))
    report.line(`${merchant}: ${payments} payments, ${(cents / 100).toFixed(2)}`);
}

export function sha256(bytes) {
  return createHash('sha256').update(bytes).digest();
}
