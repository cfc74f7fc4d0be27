import { createKmsPolicyStatement } from '@nitro-enclaves/eif';

/** PCRs of an image, as `nitro-cli` names them. */
export interface ImageMeasurements {
  readonly PCR0: string;
  readonly PCR1: string;
  readonly PCR2: string;
}

/** A key policy: sealed keys open in enclaves of this image only, everything else is the account's. */
export function keyPolicyFor({ PCR0, PCR1, PCR2 }: ImageMeasurements, accountId: string): string {
  const principals = [`arn:aws:iam::${accountId}:root`];
  const actions = ['kms:Decrypt'] as const;
  const { statement } = createKmsPolicyStatement({
    pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 },
    principals,
    actions: [...actions],
  });
  const administration = {
    Sid: 'Account',
    Effect: 'Allow',
    Principal: { AWS: principals },
    NotAction: actions,
    Resource: '*',
  };
  return JSON.stringify({ Version: '2012-10-17', Statement: [administration, statement] });
}
