export type { DataContext } from './data-context.ts';
export type {
  DataBytesOptions,
  DataCallOptions,
  DataEncryptionOptions,
  DecryptedData,
  DecryptStreamOptions,
  EncryptStreamOptions,
} from './data-encryption.ts';
export { DataEncryption, dataEncryption, releaseBeforeSignature } from './data-encryption.ts';
export type { DataKeyCacheOptions, DataKeyOptions } from './data-key-options.ts';
