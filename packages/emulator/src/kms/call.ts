import type { AccessRequest } from './authorize.ts';
import { accessDenied, judgeAccess } from './authorize.ts';
import type { Caller } from './caller.ts';
import type { EncryptionContext } from './ciphertext.ts';
import type { KeyRing, KmsAlias, KmsKey } from './key-ring.ts';
import type { Decision } from './policy/evaluate.ts';
import type { ContextEntries } from './policy/request-context.ts';
import { createContext, encryptionContextEntries, keyEntries } from './policy/request-context.ts';
import type { Recipient, RecipientGate } from './recipient/document.ts';
import { KmsServiceError, validationError } from './service-error.ts';

/** The member `Recipient` of a request. */
export interface RecipientInput {
  readonly KeyEncryptionAlgorithm: string | undefined;
  readonly AttestationDocument: Uint8Array | undefined;
}

/** What an operation adds to the context in which it is allowed or not. */
export interface OperationCircumstances {
  readonly entries?: ContextEntries;
  readonly encryptionContext?: EncryptionContext;
  readonly recipient?: Recipient | null;
}

/** What a call touched and how it was decided, for the audit record. */
export interface CallTrace {
  readonly keys: KmsKey[];
  readonly decisions: Decision[];
  readonly warnings: string[];
  recipient: Recipient | null;
}

/** Everything that operations need of the KMS that they run in. */
export interface CallEnvironment {
  readonly keys: KeyRing;
  readonly gate: RecipientGate;
  readonly caller: Caller;
  /** In ms since the epoch. */
  readonly now: number;
  /** The global condition keys of the request. */
  readonly entries: ContextEntries;
}

/** One authenticated request on its way through an operation. */
export class KmsCall {
  readonly keys: KeyRing;
  readonly caller: Caller;
  readonly now: number;
  /** The global condition keys of the request. */
  readonly entries: ContextEntries;
  readonly trace: CallTrace = { keys: [], decisions: [], warnings: [], recipient: null };
  readonly #gate: RecipientGate;

  constructor({ keys, gate, caller, now, entries }: CallEnvironment) {
    this.keys = keys;
    this.caller = caller;
    this.now = now;
    this.#gate = gate;
    this.entries = entries;
  }

  /** The recipient of the answer: `null` when none is asked for. A document that does not hold ends the call. */
  async admit(input: RecipientInput | undefined): Promise<Recipient | null> {
    if (input === undefined) return null;
    const { AttestationDocument: document, KeyEncryptionAlgorithm: algorithm } = input;
    if (document === undefined || algorithm === undefined) {
      throw validationError('Recipient must have AttestationDocument and KeyEncryptionAlgorithm');
    }
    this.trace.recipient = await this.#gate(document);
    return this.trace.recipient;
  }

  /** The key that `text` names, and the permission to do `action` with it. */
  useKey(
    text: string,
    action: string,
    { aliases = true, ...circumstances }: OperationCircumstances & { aliases?: boolean } = {},
  ): KmsKey {
    const key = this.keys.resolve({ text, allowAlias: aliases });
    const requestAlias = text.includes('alias/') ? text.slice(text.indexOf('alias/')) : undefined;
    const entries = { ...circumstances.entries, 'kms:RequestAlias': requestAlias };
    this.authorizeKey(key, action, { ...circumstances, entries });
    return key;
  }

  /** @throws {KmsServiceError} `AccessDeniedException` */
  authorizeKey(key: KmsKey, action: string, circumstances: OperationCircumstances = {}): void {
    this.trace.keys.push(key);
    const aliases = this.keys.aliases.filter(({ keyId }) => keyId === key.keyId).map(({ name }) => name);
    const { accountId } = this.keys.place;
    const context = this.#context(keyEntries({ ...key, accountId, aliases }), circumstances);
    this.#decide({ action, resource: key.arn, keyPolicy: key.parsedPolicy, context });
  }

  /** Permission for what has no key policy: an alias, or nothing in particular. */
  authorizeIdentity(
    action: string,
    { resource = '*', ...circumstances }: OperationCircumstances & { resource?: string } = {},
  ): void {
    this.#decide({ action, resource, keyPolicy: null, context: this.#context({}, circumstances) });
  }

  /** @throws {KmsServiceError} `NotFoundException` */
  expectAlias(name: string): KmsAlias {
    const alias = this.keys.alias(name);
    if (alias !== undefined) return alias;
    throw new KmsServiceError('NotFoundException', `Alias ${this.keys.aliasArn(name)} is not found.`);
  }

  #context(keyCircumstances: ContextEntries, { entries = {}, encryptionContext, recipient }: OperationCircumstances) {
    return createContext(
      this.entries,
      keyCircumstances,
      entries,
      encryptionContext === undefined ? {} : encryptionContextEntries(encryptionContext),
      recipient?.entries ?? {},
    );
  }

  #decide(wanted: Omit<AccessRequest, 'accountId'>): void {
    const request = { ...wanted, accountId: this.keys.place.accountId };
    const decision = judgeAccess(this.caller, request);
    this.trace.decisions.push(decision);
    if (decision.decision !== 'allowed') throw accessDenied(this.caller, request, decision);
  }
}

/** Answers that a dry run gets in place of the work, once everything about it is allowed. */
export function stopDryRun(dryRun: boolean | undefined): void {
  if (dryRun !== true) return;
  throw new KmsServiceError(
    'DryRunOperationException',
    'The request would have succeeded, but the DryRun option is set.',
  );
}
