import { KmsRecipientError } from '../error.ts';
import type { RecipientFields } from './secret-checks.ts';

const KEY_ARN = /^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:)key\/[\w-]+$/;
const ALIAS_ARN = /^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:)alias\/.+$/;

/** Which KMS keys answers may come from. */
export interface KeyPinning {
  /** Key ARNs. `undefined`: whatever the input's KeyId names. */
  readonly keys: readonly string[] | undefined;
  /** Whether a Decrypt may leave the choice of the key to the ciphertext. */
  readonly allowAnyKey: boolean;
}

/**
 * Without a KeyId, Decrypt uses the key that the ciphertext names: whoever stores the ciphertext could put in one of their
 * own, under their own key (wrapped-key substitution).
 * @throws {KmsRecipientError} `KEY_NOT_PINNED`.
 */
export function expectPinnedKey({ KeyId }: RecipientFields, { keys, allowAnyKey }: KeyPinning): void {
  // Callers without types may send null, which the SDK leaves out.
  if ((KeyId ?? keys) !== undefined || allowAnyKey) return;
  throw new KmsRecipientError(
    'KEY_NOT_PINNED',
    'expected a KeyId in the input, or `keys` in the options of recipient(), found neither: name the key ARN, or the ciphertext chooses the key',
  );
}

/** Whether the key ARN `answered` is what `asked` (key ARN, key id, alias name or alias ARN) names, as far as can be told. */
function isKeyAsked(asked: string, answered: string): boolean {
  if (asked.startsWith('alias/')) return true;
  const alias = ALIAS_ARN.exec(asked);
  if (alias !== null) return answered.startsWith(`${alias[1]}key/`);
  return answered === asked || answered.endsWith(`:key/${asked}`);
}

/**
 * The answer's KeyId must be that of the key asked for, and one of the pinned. An alias is KMS's to resolve: pin `keys` to
 * decide it here.
 * @throws {KmsRecipientError} `ANSWER_KEY_MISMATCH`.
 */
export function expectKeyAsked(input: RecipientFields, output: RecipientFields, { keys }: KeyPinning): void {
  const answered = output.KeyId ?? '';
  const asked = input.KeyId ?? undefined;
  const isAsked = asked === undefined || isKeyAsked(asked, answered);
  if (KEY_ARN.test(answered) && isAsked && (keys?.includes(answered) ?? true)) return;
  const expected = [...(asked === undefined ? [] : [asked]), ...(keys ?? [])].join(' or ');
  throw new KmsRecipientError(
    'ANSWER_KEY_MISMATCH',
    `expected an answer from the key ${expected || 'that the ciphertext names'}, found one from ${answered || 'none'}: its content was dropped`,
  );
}
