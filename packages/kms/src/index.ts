export type { KmsRecipientErrorCode, KmsTransportErrorCode } from './error.ts';
export { KmsRecipientError, KmsTransportError } from './error.ts';
export type { ClockCorrected, WarningListener } from './recipient/attested-clock.ts';
export type { Attest, RecipientOptions } from './recipient/recipient.ts';
export { allowAnyKey, recipient } from './recipient/recipient.ts';
export type { RecipientKeyPoolOptions } from './recipient/recipient-key-pool.ts';
export type { ConnectingTransport, KmsRequestHandlerOptions } from './transport/request-handler.ts';
export { KMS_PROXY_PORT, kmsRequestHandler, VMADDR_CID_PARENT } from './transport/request-handler.ts';
