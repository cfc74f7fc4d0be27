// The package nsm where there is no /dev/nsm: in an emulated enclave.
import { openEnclave } from '@nitro-enclaves/emulator/enclave';

export * from '@nitro-enclaves/nsm';

export const openNsm = async () => (await openEnclave()).nsm;
