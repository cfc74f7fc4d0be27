import type {
  KmsNodeClientSupplier,
  NodeDecryptionMaterial,
  NodeDecryptionRequest,
  NodeEncryptionMaterial,
  NodeEncryptionRequest,
  NodeMaterialsManager,
} from '@aws-crypto/client-node';
import {
  getLocalCryptographicMaterialsCache,
  KmsKeyringNode,
  NodeCachingMaterialsManager,
  NodeDefaultCryptographicMaterialsManager,
} from '@aws-crypto/client-node';
import type { DataKeyOptions } from './data-key-options.ts';

/** Data keys from KMS, for exactly the keys named: a message under any other is refused. */
export function dataKeyMaterials({
  client,
  keyArn,
  additionalKeyArns = [],
  cache,
}: DataKeyOptions): NodeMaterialsManager {
  // The keyring's interface knows no `undefined` in answers; it checks each answer itself.
  const clientProvider = (() => client) as unknown as KmsNodeClientSupplier;
  const keyring = new KmsKeyringNode({
    clientProvider,
    generatorKeyId: keyArn,
    keyIds: [...additionalKeyArns],
  });
  if (cache === undefined) return new NodeDefaultCryptographicMaterialsManager(keyring);
  const { maxAge, maxMessages = 1000, maxBytes = 2 ** 30, capacity = 100 } = cache;
  return new NodeCachingMaterialsManager({
    backingMaterials: keyring,
    cache: getLocalCryptographicMaterialsCache(capacity),
    maxAge,
    maxMessagesEncrypted: maxMessages,
    maxBytesEncrypted: maxBytes,
  });
}

/**
 * States the length of a message to a cache, which counts the bytes under each data key by it. The Encryption SDK's own
 * option would also make its stream count them, which it does wrongly for pieces larger than a frame.
 */
export class SizedMaterials implements NodeMaterialsManager {
  readonly #inner: NodeMaterialsManager;
  readonly #plaintextLength: number;

  constructor(inner: NodeMaterialsManager, plaintextLength: number) {
    this.#inner = inner;
    this.#plaintextLength = plaintextLength;
  }

  getEncryptionMaterials(request: NodeEncryptionRequest): Promise<NodeEncryptionMaterial> {
    return this.#inner.getEncryptionMaterials({ ...request, plaintextLength: this.#plaintextLength });
  }

  decryptMaterials(request: NodeDecryptionRequest): Promise<NodeDecryptionMaterial> {
    return this.#inner.decryptMaterials(request);
  }
}
