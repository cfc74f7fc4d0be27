export type { NativeUnavailableCode, SystemError } from './error.ts';
export { NativeUnavailableError } from './error.ts';
export type { NativeNsmDevice } from './nsm-device.ts';
export { openNsmDevice } from './nsm-device.ts';
