export { NitroEnclavesError } from './error.ts';
export type { ErrorDetails } from './error.ts';
