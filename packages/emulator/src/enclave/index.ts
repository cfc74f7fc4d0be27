import { readFile } from 'node:fs/promises';
import { Nsm } from '@nitro-enclaves/nsm';
import type { Transport } from '@nitro-enclaves/vsock';
import { EmulatorError } from '../error.ts';
import { enclaveTransport } from './enclave-transport.ts';
import { openHardware } from './hardware.ts';
import type { EnclaveIdentityFile } from './place.ts';
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
  /** What requests to KMS need here: spread it into the options of `kmsRequestHandler`. Nothing in a real enclave. */
  readonly kms: KmsPlace;
  /** `emulator` when documents are signed by an emulator, whose root nobody trusts who was not told to. */
  readonly place: 'emulator' | 'nitro';
  /** Lets go of the NSM. Connections and servers are the application's own to end. */
  close(): Promise<void>;
}

/** The KMS of the place. */
export interface KmsPlace {
  /** Certificate (PEM) of the authority of the emulated KMS. */
  readonly ca?: string;
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

function createEnclave({ nsm, ...parts }: Pick<Enclave, 'nsm' | 'transport' | 'kms' | 'place'>): Enclave {
  const close = () => nsm.close();
  return { nsm, ...parts, close, [Symbol.asyncDispose]: close };
}

async function readIdentity(identityFile: string): Promise<EnclaveIdentityFile> {
  try {
    return JSON.parse(await readFile(identityFile, 'utf8'));
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
  const { cid, kmsCa } = await readIdentity(identityFile);
  const nsm = new Nsm(await openSocketNsmDevice(nsmSocket));
  const transport = enclaveTransport({ folder: transportFolder, cid });
  return createEnclave({ nsm, transport, kms: kmsCa === undefined ? {} : { ca: kmsCa }, place: 'emulator' });
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
    return createEnclave({ nsm, transport, kms: {}, place: 'nitro' });
  }
  throw new EmulatorError(
    'EMULATOR_ABSENT',
    `expected ${EMULATOR_VARIABLE}, found none: run the application with \`nitro-enclaves emulator run-enclave\`, or pass { hardware: true } in a real enclave`,
  );
}
