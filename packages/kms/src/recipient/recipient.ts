import type { ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-kms';
import type { HandlerExecutionContext, InitializeHandler, Pluggable } from '@smithy/types';
import { SMITHY_CONTEXT_KEY } from '@smithy/types';
import { abortable } from '../deadline.ts';
import { openEnvelope } from '../envelope/open.ts';
import { KmsRecipientError } from '../error.ts';
import { explainKmsError } from '../explain.ts';
import type { WarningListener } from '../warning.ts';
import { warnProcess } from '../warning.ts';
import type { ClockCorrected } from './attested-clock.ts';
import { AttestedClock } from './attested-clock.ts';
import type { DocumentSourceOptions } from './document-source.ts';
import { DocumentSource } from './document-source.ts';
import type { KeyPinning } from './key-pinning.ts';
import { expectKeyAsked, expectPinnedKey } from './key-pinning.ts';
import type { RecipientOperation } from './operations.ts';
import { RECIPIENT_OPERATIONS } from './operations.ts';
import type { RecipientKey } from './recipient-key.ts';
import type { RecipientKeyPoolOptions } from './recipient-key-pool.ts';
import { RecipientKeyPool } from './recipient-key-pool.ts';
import type { RecipientFields } from './secret-checks.ts';

/** Lets a Decrypt leave the choice of the key to the ciphertext: whoever stores it can swap in one of their own. */
export const allowAnyKey: unique symbol = Symbol('allowAnyKey');

/** Options of {@link recipient}. */
export interface RecipientOptions extends RecipientKeyPoolOptions, DocumentSourceOptions {
  /** ARNs of the only keys whose answers are taken. Default: the key that each input names. */
  readonly keys?: readonly string[];
  /** The client whose request clock follows the NSM's. */
  readonly correctClockOf?: ClockCorrected;
  /** Default: `process.emitWarning`. */
  readonly onWarning?: WarningListener;
  /** @deprecated Greppable opt-in: see {@link allowAnyKey}. */
  readonly [allowAnyKey]?: true;
}

/** What one plugin keeps between calls. */
class RecipientSession {
  readonly pinning: KeyPinning;
  readonly #keys: RecipientKeyPool;
  readonly #documents: DocumentSource;

  constructor(options: RecipientOptions) {
    const { keys, correctClockOf, onWarning = warnProcess } = options;
    this.pinning = { keys, allowAnyKey: options[allowAnyKey] === true };
    this.#keys = new RecipientKeyPool(options);
    this.#documents = new DocumentSource(options, new AttestedClock(correctClockOf, onWarning));
  }

  /** The key of a call, and a document with it. */
  async attest(signal: AbortSignal | undefined): Promise<{ key: RecipientKey; document: Uint8Array }> {
    try {
      const key = await abortable(this.#keys.take(), signal);
      return { key, document: await abortable(this.#documents.take(key.publicKey, signal), signal) };
    } catch (error) {
      throw signal?.aborted ? requestAborted(signal) : error;
    }
  }
}

/** In the form in which the SDK ends a call that was aborted later. */
function requestAborted({ reason }: AbortSignal): Error {
  return Object.assign(new Error('Request aborted', { cause: reason }), { name: 'AbortError' });
}

/** The caller's signal, `send(command, { abortSignal })`: the SDK shows it to middleware under a key of its own. */
function abortSignalOf(context: HandlerExecutionContext): AbortSignal | undefined {
  const signal = context[SMITHY_CONTEXT_KEY]?.abortSignal;
  return signal instanceof AbortSignal ? signal : undefined;
}

function expectOwnRecipient({ Recipient }: RecipientFields): void {
  if (Recipient === undefined) return;
  throw new KmsRecipientError(
    'RECIPIENT_ALREADY_SET',
    'expected an input without Recipient, found one: recipient() attests each call itself',
  );
}

/**
 * KMS leaves the secret out of a sealed answer. One in the clear was seen by whoever carried it, and an answer without an
 * envelope is what a caller without attestation gets.
 */
function sealedSecret(output: RecipientFields, { secretField }: RecipientOperation): Uint8Array {
  const clear = output[secretField];
  const isClear = clear !== undefined && clear.length > 0;
  clear?.fill(0);
  const { CiphertextForRecipient } = output;
  if (CiphertextForRecipient !== undefined && !isClear) return CiphertextForRecipient;
  throw new KmsRecipientError(
    'ANSWER_NOT_SEALED',
    `expected CiphertextForRecipient and no ${secretField}, found ${isClear ? `${secretField} in the clear` : 'neither'}: this answer does not come from an attested call to KMS`,
  );
}

async function openAnswer<Output extends object>(
  output: Output & RecipientFields,
  call: { key: RecipientKey; input: RecipientFields; operation: RecipientOperation; pinning: KeyPinning },
): Promise<Output> {
  const { key, input, operation, pinning } = call;
  const sealed = sealedSecret(output, operation);
  if (operation.hasKey) expectKeyAsked(input, output, pinning);
  const secret = await openEnvelope(sealed, key);
  try {
    operation.check(secret, input, output);
  } catch (error) {
    secret.fill(0);
    throw error;
  }
  return { ...output, [operation.secretField]: secret, CiphertextForRecipient: undefined };
}

/** Inputs and outputs of the five operations, read by the names that they share. */
function fieldsOf(value: object): RecipientFields {
  return value;
}

function attested(
  session: RecipientSession,
  next: InitializeHandler<ServiceInputTypes, ServiceOutputTypes>,
  { operation, signal }: { operation: RecipientOperation; signal: AbortSignal | undefined },
): InitializeHandler<ServiceInputTypes, ServiceOutputTypes> {
  return async (args) => {
    const input = fieldsOf(args.input);
    expectOwnRecipient(input);
    if (operation.hasKey) expectPinnedKey(input, session.pinning);
    const { key, document } = await session.attest(signal);
    const Recipient = { AttestationDocument: document, KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const };
    try {
      const result = await next({ ...args, input: { ...args.input, Recipient } });
      const output = await openAnswer(result.output, { key, input, operation, pinning: session.pinning });
      return { ...result, output };
    } catch (error) {
      throw explainKmsError(error, document);
    }
  };
}

/**
 * A plugin for the AWS SDK's `KMSClient` (and `KMS`): Decrypt, GenerateDataKey, GenerateDataKeyPair, GenerateRandom and
 * DeriveSharedSecret carry a fresh attestation document, and their answers, sealed to a key that exists only in this
 * process, are opened: `Plaintext`, `PrivateKeyPlaintext` and `SharedSecret` are there as if nothing had happened. Any
 * answer that was not sealed, is not from the key asked for, or is not what was asked for, is refused.
 * Source: KMS Developer Guide, "How AWS Nitro Enclaves uses AWS KMS"; KMS API reference, "RecipientInfo".
 * @throws {KmsRecipientError} from the commands; errors of KMS keep their class and name, with an explanation added.
 */
export function recipient(options: RecipientOptions): Pluggable<ServiceInputTypes, ServiceOutputTypes> {
  const session = new RecipientSession(options);
  return {
    applyToStack: (stack) => {
      stack.add(
        (next: InitializeHandler<ServiceInputTypes, ServiceOutputTypes>, context: HandlerExecutionContext) => {
          const operation = RECIPIENT_OPERATIONS.get(context.commandName ?? '');
          if (operation === undefined) return next;
          return attested(session, next, { operation, signal: abortSignalOf(context) });
        },
        { step: 'initialize', name: 'nitroEnclavesRecipient', priority: 'low' },
      );
    },
  };
}
