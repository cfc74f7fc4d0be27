export type { EmulatorClient } from './control-client.ts';
export { connectEmulator } from './control-client.ts';
