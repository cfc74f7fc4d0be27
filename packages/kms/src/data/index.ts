export type {
  DataBytesOptions,
  DataCallOptions,
  DataEncryptionOptions,
  DecryptedData,
  DecryptStreamOptions,
  EncryptStreamOptions,
} from './data-encryption.ts';
export { DataEncryption, dataEncryption, releaseBeforeSignature } from './data-encryption.ts';
export type { DataContext } from './encryption-context.ts';
export type { DataKeyCacheOptions, DataKeyOptions } from './materials.ts';
