import type { KmsCall, RecipientInput } from '../call.ts';
import type { EncryptionContext } from '../ciphertext.ts';
import type { InputOf, Member, MembersOf } from '../input.ts';
import { blob, integer, list, oneOf, readInput, required, structure, text } from '../input.ts';
import type { EncryptionAlgorithm } from '../key-spec.ts';
import type { Recipient } from '../recipient/document.ts';

/** A member of an answer, before it becomes JSON: bytes become base64. */
export type OutputValue =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly OutputValue[]
  | { readonly [name: string]: OutputValue | undefined };

/** What an operation answers, but for what is secret. */
export type Output = Readonly<Record<string, OutputValue | undefined>>;

/** What leaves KMS in the clear, or only for the recipient. */
export interface Secret {
  /** The member that holds it when there is no recipient. */
  readonly member: 'Plaintext' | 'PrivateKeyPlaintext' | 'SharedSecret';
  readonly content: Uint8Array;
  readonly recipient: Recipient | null;
  /** The member that holds it encrypted under a KMS key, and bound to what. */
  readonly wrapped?: {
    readonly member: 'CiphertextBlob' | 'PrivateKeyCiphertextBlob';
    readonly context: EncryptionContext;
  };
}

/** A whole answer. */
export interface Answer {
  readonly output: Output;
  readonly secret?: Secret;
}

/** The parameters of a request as they go into the audit record: no bytes, so no secrets. */
export type RequestParameters = Readonly<Record<string, unknown>>;

/** An operation of KMS. */
export interface Operation {
  /** Whether CloudTrail calls it read-only. */
  readonly isReadOnly: boolean;
  /** Reads the body. Everything wrong with its form comes out here. */
  prepare(body: Uint8Array): {
    readonly parameters: RequestParameters;
    readonly run: (call: KmsCall) => Promise<Answer>;
  };
}

function describe(value: unknown): unknown {
  if (value instanceof Map) return value.size === 0 ? undefined : Object.fromEntries(value);
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  return value;
}

/** `GrantTokens` are bearer secrets, a document is long, a message may be anything: none of them belongs into a log. */
const UNLOGGED: ReadonlySet<string> = new Set(['GrantTokens', 'Recipient']);

function parametersOf(input: Readonly<Record<string, unknown>>): RequestParameters {
  const logged = Object.entries(input).filter(([name, value]) => !(UNLOGGED.has(name) || value instanceof Uint8Array));
  return Object.fromEntries(
    logged.map(([name, value]) => [name.charAt(0).toLowerCase() + name.slice(1), describe(value)]),
  );
}

function warnOfGrantTokens(input: Readonly<Record<string, unknown>>, { trace }: KmsCall): void {
  const { GrantTokens: tokens } = input;
  if (Array.isArray(tokens) && tokens.length > 0)
    trace.warnings.push('GrantTokens are ignored: this KMS has no grants');
}

/** Makes an operation of its members and its work. */
export function defineOperation<Members extends MembersOf>({
  members,
  isReadOnly,
  run,
}: {
  readonly members: Members;
  readonly isReadOnly: boolean;
  readonly run: (input: InputOf<Members>, call: KmsCall) => Answer | Promise<Answer>;
}): Operation {
  return {
    isReadOnly,
    prepare: (body) => {
      const input = readInput(members, body);
      return {
        parameters: parametersOf(input),
        run: async (call) => {
          warnOfGrantTokens(input, call);
          return run(input, call);
        },
      };
    },
  };
}

export const keyId: Member<string> = required(text({ min: 1, max: 2048 }));
export const optionalKeyId: Member<string | undefined> = text({ min: 1, max: 2048 });
export const grantTokens: Member<readonly string[]> = list(text({ min: 1, max: 8192 }), { max: 10 });
export const limit: Member<number | undefined> = integer({ min: 1, max: 1000 });
export const marker: Member<string | undefined> = text({ min: 1, max: 1024 }, /^[\u0020-\u00FF]*$/);
export const recipientMember: Member<RecipientInput | undefined> = structure({
  KeyEncryptionAlgorithm: oneOf(['RSAES_OAEP_SHA_256']),
  AttestationDocument: blob({ min: 1, max: 262_144 }),
});
/** With the one that AWS has and this emulator has not: the request is well-formed, the key cannot do it. */
export const encryptionAlgorithm: Member<EncryptionAlgorithm | 'SM2PKE' | undefined> = oneOf([
  'SYMMETRIC_DEFAULT',
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'SM2PKE',
]);
