export type { ParentCredentialsOptions } from './credentials/parent-credentials.ts';
export { CREDENTIALS_PORT, parentCredentials } from './credentials/parent-credentials.ts';
export type {
  DataBytesOptions,
  DataCallOptions,
  DataContext,
  DataEncryptionOptions,
  DataKeyCacheOptions,
  DataKeyOptions,
  DecryptedData,
  DecryptStreamOptions,
  EncryptStreamOptions,
} from './data/index.ts';
export { DataEncryption, dataEncryption, releaseBeforeSignature } from './data/index.ts';
export type { DataErrorCode, KmsRecipientErrorCode, KmsTransportErrorCode } from './error.ts';
export { DataError, KmsRecipientError, KmsTransportError } from './error.ts';
export type { ClockCorrected } from './recipient/attested-clock.ts';
export type { Attest, DocumentSourceOptions } from './recipient/document-source.ts';
export type { RecipientOptions } from './recipient/recipient.ts';
export { allowAnyKey, recipient } from './recipient/recipient.ts';
export type { RecipientKeyPoolOptions } from './recipient/recipient-key-pool.ts';
export type { ConnectingTransport, KmsRequestHandlerOptions } from './transport/request-handler.ts';
export { KMS_PROXY_PORT, kmsRequestHandler, VMADDR_CID_PARENT } from './transport/request-handler.ts';
export type { WarningListener } from './warning.ts';
