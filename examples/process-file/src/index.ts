export type { ApplicationConfig } from './application.ts';
export { APPLICATION_PORT, Application, INPUT_CONTEXT, RESULT_CONTEXT, readConfig } from './application.ts';
export type { ResultChecks, UnverifiedResult, VerifiedResult } from './client.ts';
export { freshNonce, openResult, RefusedByEnclave, submit } from './client.ts';
export type { MerchantTotal, Outlier, PaymentSummary } from './payments.ts';
export { PAYMENTS_HEADER, PaymentLedger } from './payments.ts';
