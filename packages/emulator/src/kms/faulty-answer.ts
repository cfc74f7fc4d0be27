import type { Seed } from '../seed.ts';
import type { KmsPlace } from './arn.ts';
import { kmsArn, partitionOf } from './arn.ts';
import { sealBlob } from './ciphertext.ts';
import { AES_KEY_BYTES, generateEncodedKeyPair } from './key-material.ts';
import type { KmsKey } from './key-ring.ts';
import type { KeyPairSpec } from './key-spec.ts';
import { KEY_SPECS } from './key-spec.ts';
import { defaultKeyPolicy } from './operations/key-policies.ts';
import type { Answer, Output, Secret } from './operations/operation.ts';
import { parsePolicy } from './policy/document.ts';
import type { KmsServiceError } from './service-error.ts';

/** A fault of the answer's content. */
export type AnswerFault =
  | { readonly kind: 'refuse'; readonly error: KmsServiceError }
  | { readonly kind: 'forged-ciphertext-for-recipient' | 'other-key'; readonly seed: Seed }
  | { readonly kind: 'no-ciphertext-for-recipient' };

type Distortion = (answer: Answer, place: KmsPlace) => Answer | Promise<Answer>;

function isPairSpec(spec: unknown): spec is KeyPairSpec {
  return typeof spec === 'string' && spec in KEY_SPECS && spec !== 'SYMMETRIC_DEFAULT';
}

/** What an attacker would put in place of a secret: of the same form, so that only its origin gives it away. */
async function decoySecret(answer: Answer, secret: Secret, seed: Seed): Promise<Uint8Array> {
  const { KeyPairSpec: spec } = answer.output;
  if (secret.member === 'PrivateKeyPlaintext' && isPairSpec(spec))
    return (await generateEncodedKeyPair(spec)).privateKey;
  return seed.derive('decoy secret', secret.content.length);
}

/** The attacker knows the recipient's key, which stands in the document for all to see, and seals what they like. */
function forge(seed: Seed): Distortion {
  return async (answer) => {
    const { secret } = answer;
    if (secret === undefined || secret.recipient === null) return answer;
    const content = await decoySecret(answer, secret, seed);
    secret.content.fill(0);
    return { ...answer, secret: { ...secret, content } };
  };
}

/** A key that is in no key ring, of this account. */
function decoyKey(seed: Seed, { accountId, region }: KmsPlace): KmsKey {
  const hex = Buffer.from(seed.derive('decoy key id', 16)).toString('hex');
  const keyId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const policy = defaultKeyPolicy({ accountId, partition: partitionOf(region) });
  return {
    keyId,
    arn: kmsArn({ accountId, region }, `key/${keyId}`),
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    description: '',
    creationDate: 0,
    enabled: true,
    deletionDate: null,
    policy: JSON.stringify(policy),
    parsedPolicy: parsePolicy(policy),
    tags: {},
    material: seed.derive('decoy key', AES_KEY_BYTES),
  };
}

function wrapUnder(key: KmsKey, { wrapped, content }: Secret): Output {
  return wrapped === undefined ? {} : { [wrapped.member]: sealBlob(key, content, wrapped.context) };
}

function swapKey(seed: Seed): Distortion {
  return async (answer, place) => {
    const key = decoyKey(seed, place);
    const output = 'KeyId' in answer.output ? { ...answer.output, KeyId: key.arn } : answer.output;
    if (answer.secret === undefined) return { ...answer, output };
    const secret = { ...answer.secret, content: await decoySecret(answer, answer.secret, seed) };
    answer.secret.content.fill(0);
    return { output: { ...output, ...wrapUnder(key, secret) }, secret };
  };
}

/** Somebody on the way had KMS answer without a recipient. */
function unseal({ output, secret }: Answer): Answer {
  return secret === undefined ? { output } : { output, secret: { ...secret, recipient: null } };
}

function distortionOf(fault: AnswerFault): Distortion {
  switch (fault.kind) {
    case 'forged-ciphertext-for-recipient':
      return forge(fault.seed);
    case 'other-key':
      return swapKey(fault.seed);
    case 'no-ciphertext-for-recipient':
      return unseal;
    case 'refuse':
      return (answer) => answer;
  }
}

/** Changes an answer as its faults demand, one after the other. */
export async function distort(
  answer: Answer,
  { faults, place }: { faults: readonly AnswerFault[]; place: KmsPlace },
): Promise<Answer> {
  let distorted = answer;
  for (const fault of faults) distorted = await distortionOf(fault)(distorted, place);
  return distorted;
}
