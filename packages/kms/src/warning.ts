/** Told of what an operator should know and a caller need not handle. Never holds a secret. */
export type WarningListener = (message: string) => void;

/** Where warnings go unless told otherwise: Node prints them on standard error. */
export function warnProcess(message: string): void {
  process.emitWarning(message, { code: 'NITRO_ENCLAVES_KMS' });
}
