import { readFile } from 'node:fs/promises';
import { Nsm } from '@nitro-enclaves/nsm';
import type { Transport } from '@nitro-enclaves/vsock';
import { EmulatorError } from '../error.ts';
import { enclaveTransport } from './enclave-transport.ts';
import { openHardware } from './hardware.ts';
import { EMULATOR_VARIABLE, placeIn } from './place.ts';
import { openSocketNsmDevice } from './socket-nsm-device.ts';

export type { EmulatorErrorCode } from '../error.ts';
export { EmulatorError } from '../error.ts';

/** The enclave that an application runs in: everything that is not the same in every place. */
export interface Enclave extends AsyncDisposable {
  /** The Nitro Secure Module of this enclave. */
  readonly nsm: Nsm;
  /** The way to the parent; `localCid` is this enclave's own CID. */
  readonly transport: Transport;
  /** `emulator` when documents are signed by an emulator, whose root nobody trusts who was not told to. */
  readonly place: 'emulator' | 'nitro';
  /** Lets go of the NSM. Connections and servers are the application's own to end. */
  close(): Promise<void>;
}

/** Options of {@link openEnclave}. */
export interface OpenEnclaveOptions {
  /**
   * What to do where no emulator runs the application: `true` opens /dev/nsm and AF_VSOCK, as in a real enclave and in
   * QEMU's. Default false: development machines that only forgot to start the emulator get an error that says so.
   */
  readonly hardware?: boolean | undefined;
  /** Where the emulator says that it is there. Default `process.env`. In a real enclave it is measured with the image. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

function createEnclave(nsm: Nsm, transport: Transport, place: Enclave['place']): Enclave {
  const close = () => nsm.close();
  return { nsm, transport, place, close, [Symbol.asyncDispose]: close };
}

async function readCid(identityFile: string): Promise<number> {
  try {
    const { cid } = JSON.parse(await readFile(identityFile, 'utf8'));
    return cid;
  } catch (cause) {
    throw new EmulatorError(
      'EMULATOR_ABSENT',
      `expected the emulator at ${identityFile}, as ${EMULATOR_VARIABLE} says: has it ended?`,
      { cause },
    );
  }
}

async function openEmulated(folder: string): Promise<Enclave> {
  const { nsmSocket, transportFolder, identityFile } = placeIn(folder);
  const cid = await readCid(identityFile);
  const nsm = new Nsm(await openSocketNsmDevice(nsmSocket));
  return createEnclave(nsm, enclaveTransport({ folder: transportFolder, cid }), 'emulator');
}

/**
 * Opens the enclave that this process runs in: the one call by which an application finds its place. Under the emulator
 * that is the emulated NSM and Unix sockets; with `hardware: true`, and no emulator about, /dev/nsm and AF_VSOCK.
 * @throws {EmulatorError} `EMULATOR_ABSENT` outside an emulator, unless `hardware` is true.
 * @throws {NsmError} `NSM_UNAVAILABLE` when there is no NSM.
 */
export async function openEnclave({ hardware = false, env = process.env }: OpenEnclaveOptions = {}): Promise<Enclave> {
  const folder = env[EMULATOR_VARIABLE];
  if (folder !== undefined && folder !== '') return openEmulated(folder);
  if (hardware) {
    const { nsm, transport } = await openHardware();
    return createEnclave(nsm, transport, 'nitro');
  }
  throw new EmulatorError(
    'EMULATOR_ABSENT',
    `expected ${EMULATOR_VARIABLE}, found none: run the application with \`nitro-enclaves emulator run-enclave\`, or pass { hardware: true } in a real enclave`,
  );
}
