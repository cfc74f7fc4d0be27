import type {
  EncryptionContext,
  NodeDecryptionMaterial,
  NodeDecryptionRequest,
  NodeEncryptionMaterial,
  NodeGetEncryptionMaterials,
  NodeMaterialsManager,
} from '@aws-crypto/client-node';
import { DataError } from '../error.ts';
import type { DataContext } from './data-context.ts';
import type { KeyFailures } from './key-failures.ts';

/** Fields of the Encryption SDK's own, such as the public key of a signed message. */
const RESERVED_PREFIX = 'aws-crypto-';

/**
 * At least one field has to be the application's: without it, any message under the same KMS key can stand in for any other.
 * @throws {DataError} `CONTEXT_FIELD_MISSING`.
 */
export function expectOwnField(context: DataContext): void {
  const own = Object.entries(context).filter(([name, value]) => !name.startsWith(RESERVED_PREFIX) && value !== '');
  if (own.length > 0 && own.length === Object.keys(context).length) return;
  throw new DataError(
    'CONTEXT_FIELD_MISSING',
    `expected an encryption context of at least one field of the application's with a value, such as { purpose: 'payments' }, and none of the prefix ${RESERVED_PREFIX}; found ${JSON.stringify(Object.keys(context))}`,
  );
}

function expectFields(found: EncryptionContext, expected: DataContext): void {
  const differing = Object.entries(expected).filter(([name, value]) => found[name] !== value);
  if (differing.length === 0) return;
  const names = differing.map(([name]) => name).join(', ');
  throw new DataError(
    'CONTEXT_MISMATCH',
    `expected the message's encryption context to have the given values, found others for ${names}: it is a message of another purpose, or was swapped`,
  );
}

/**
 * Stands before another materials manager and lets only messages of one context through to it: checked before KMS is
 * asked, so before any plaintext exists. That the header's context is genuine is then KMS's to say, and AES-GCM's.
 */
export class ContextBoundMaterials implements NodeMaterialsManager {
  readonly #inner: NodeMaterialsManager;
  readonly #expected: DataContext;
  readonly #failures: KeyFailures;
  readonly getEncryptionMaterials: NodeGetEncryptionMaterials;

  constructor(inner: NodeMaterialsManager, { expected, failures }: { expected: DataContext; failures: KeyFailures }) {
    this.#inner = inner;
    this.#expected = expected;
    this.#failures = failures;
    this.getEncryptionMaterials = (request): Promise<NodeEncryptionMaterial> => inner.getEncryptionMaterials(request);
  }

  async decryptMaterials(request: NodeDecryptionRequest): Promise<NodeDecryptionMaterial> {
    expectFields(request.encryptionContext, this.#expected);
    return this.#failures.during(() => this.#inner.decryptMaterials(request));
  }
}
