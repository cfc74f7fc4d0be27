import type { Duplex } from 'node:stream';
import type { NodeMaterialsManager } from '@aws-crypto/client-node';
import { AlgorithmSuiteIdentifier, buildClient, CommitmentPolicy } from '@aws-crypto/client-node';
import { NitroEnclavesError } from '@nitro-enclaves/core';
import { abortable } from '../deadline.ts';
import { DataError } from '../error.ts';
import { ContainedStream } from './contained-stream.ts';
import type { DataContext } from './data-context.ts';
import type { DataKeyOptions } from './data-key-options.ts';
import { ContextBoundMaterials, expectOwnField } from './encryption-context.ts';
import { DataKeyUnavailable, KeyFailures } from './key-failures.ts';
import { dataKeyMaterials, SizedMaterials } from './materials.ts';
import { MessageEnd } from './message-end.ts';

/**
 * Lets a stream release the plaintext of a signed message before its signature, which stands at the end, was checked. Each
 * frame is authenticated under the data key all the same.
 */
export const releaseBeforeSignature: unique symbol = Symbol('releaseBeforeSignature');

/** Options of {@link dataEncryption}. */
export interface DataEncryptionOptions extends DataKeyOptions {
  /** Plaintext of one frame, in bytes: what is encrypted and authenticated at a time. Default 65 536. */
  readonly frameBytes?: number;
  /** Largest frame that a stream takes, in bytes: its memory. Default 16 777 216 (16 MiB). */
  readonly maxFrameBytes?: number;
}

/** Options of every call. */
export interface DataCallOptions {
  /** What the message is for: authenticated, not secret, at least one field. */
  readonly context: DataContext;
}

/** Options of the calls on bytes. */
export interface DataBytesOptions extends DataCallOptions {
  readonly signal?: AbortSignal;
}

/** Options of an encrypting stream. */
export interface EncryptStreamOptions extends DataCallOptions {
  /** Length of what will be written, in bytes, where it is known: without it a cached data key cannot serve. */
  readonly plaintextLength?: number;
}

/** Options of a decrypting stream. */
export interface DecryptStreamOptions extends DataCallOptions {
  /** @deprecated Greppable opt-in: see {@link releaseBeforeSignature}. */
  readonly [releaseBeforeSignature]?: true;
}

/** A message of the AWS Encryption SDK, opened. */
export interface DecryptedData {
  readonly plaintext: Uint8Array;
  /** The message's whole encryption context. */
  readonly context: DataContext;
}

/** Each data key is one call to KMS: bounds what a hostile header can make us ask. */
const MAX_ENCRYPTED_DATA_KEYS = 8;

/** Committed, so that one message cannot open to two plaintexts; unsigned, so that a stream can be released frame by frame. */
const SUITE = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;

const sdk: ReturnType<typeof buildClient> = buildClient({
  commitmentPolicy: CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
  maxEncryptedDataKeys: MAX_ENCRYPTED_DATA_KEYS,
});

/** Our own errors and those of the KMS client as they are; all others under one code. */
function refused(cause: unknown): Error {
  if (cause instanceof NitroEnclavesError) return cause;
  if (cause instanceof DataKeyUnavailable && cause.cause instanceof Error) return cause.cause;
  return new DataError(
    'MESSAGE_REFUSED',
    'expected a whole message of the AWS Encryption SDK, committed, under one of the keys given, found one that does not open: it is damaged, cut off, or not for this enclave (see the cause)',
    { cause },
  );
}

function goesOn(): DataError {
  return new DataError(
    'MESSAGE_REFUSED',
    'expected one message of the AWS Encryption SDK, found more behind its end: something was appended, or several were joined',
  );
}

/**
 * Encrypts and decrypts messages of the AWS Encryption SDK under KMS keys. What it writes, the AWS Encryption SDK opens in
 * every language, and the reverse.
 * Source: AWS Encryption SDK Developer Guide, "Message format reference".
 */
export class DataEncryption {
  readonly #failures = new KeyFailures();
  readonly #materials: NodeMaterialsManager;
  readonly #frameBytes: number;
  readonly #maxFrameBytes: number;

  /** See {@link dataEncryption}. */
  constructor(options: DataEncryptionOptions) {
    this.#materials = dataKeyMaterials({ ...options, client: this.#failures.watch(options.client) });
    this.#frameBytes = options.frameBytes ?? 65_536;
    this.#maxFrameBytes = options.maxFrameBytes ?? 16_777_216;
  }

  /**
   * One message holding `plaintext`.
   * @throws {DataError} `CONTEXT_FIELD_MISSING`; errors of the KMS client as they are.
   */
  async encrypt(plaintext: Uint8Array, { context, signal }: DataBytesOptions): Promise<Uint8Array> {
    const options = this.#encryptOptions(context);
    const { result } = await abortable(sdk.encrypt(this.#materials, plaintext, options), signal);
    return result;
  }

  /**
   * Opens a message; each field of `context` must be in it with that value.
   * @throws {DataError} `CONTEXT_FIELD_MISSING`, `CONTEXT_MISMATCH`, `MESSAGE_REFUSED`; errors of the KMS client as they are.
   */
  async decrypt(message: Uint8Array, { context, signal }: DataBytesOptions): Promise<DecryptedData> {
    const materials = this.#boundTo(context);
    if (new MessageEnd().isPassedBy(message)) throw goesOn();
    try {
      const opened = await abortable(sdk.decrypt(materials, message), signal);
      return { plaintext: opened.plaintext, context: { ...opened.messageHeader.encryptionContext } };
    } catch (error) {
      throw signal?.aborted ? signal.reason : refused(error);
    }
  }

  /**
   * Plaintext in, one message out, with the memory of a few frames whatever the length.
   * @throws {DataError} `CONTEXT_FIELD_MISSING`. The stream fails with `PLAINTEXT_LENGTH`, and errors of the KMS client as
   * they are.
   */
  encryptStream({ context, plaintextLength }: EncryptStreamOptions): Duplex {
    const options = this.#encryptOptions(context);
    const materials =
      plaintextLength === undefined ? this.#materials : new SizedMaterials(this.#materials, plaintextLength);
    return new ContainedStream(sdk.encryptStream(materials, options), {
      explain: (error) => (error instanceof Error ? error : new Error(String(error))),
      // Its last frame goes nowhere: only this way does it put its data key away.
      stop: (inner) => void inner.end().resume(),
      expectedBytes: plaintextLength,
    });
  }

  /**
   * One message in, plaintext out, each frame only after it was authenticated. A message that was cut off fails at its end,
   * after whole frames came out: what they led to has to wait for the stream's end. Signed messages are refused, since their
   * signature comes last, unless asked for by {@link releaseBeforeSignature}.
   * @throws {DataError} `CONTEXT_FIELD_MISSING`. The stream fails with `CONTEXT_MISMATCH`, `MESSAGE_REFUSED`, and
   * errors of the KMS client as they are.
   */
  decryptStream(options: DecryptStreamOptions): Duplex {
    const materials = this.#boundTo(options.context);
    const limits = { maxBodySize: this.#maxFrameBytes };
    const isUnverifiedAllowed = options[releaseBeforeSignature] === true;
    const inner = isUnverifiedAllowed
      ? sdk.decryptStream(materials, limits)
      : sdk.decryptUnsignedMessageStream(materials, limits);
    const end = new MessageEnd();
    return new ContainedStream(inner, {
      explain: refused,
      stop: () => void inner.destroy(),
      refuse: (chunk) => (end.isPassedBy(chunk) ? goesOn() : undefined),
    });
  }

  #encryptOptions(context: DataContext): {
    suiteId: typeof SUITE;
    encryptionContext: DataContext;
    frameLength: number;
  } {
    expectOwnField(context);
    return { suiteId: SUITE, encryptionContext: { ...context }, frameLength: this.#frameBytes };
  }

  #boundTo(context: DataContext): NodeMaterialsManager {
    expectOwnField(context);
    return new ContextBoundMaterials(this.#materials, { expected: context, failures: this.#failures });
  }
}

/** Data encryption under `keyArn`, through a client whose data keys come only to this enclave. */
export function dataEncryption(options: DataEncryptionOptions): DataEncryption {
  return new DataEncryption(options);
}
