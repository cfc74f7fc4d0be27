import { resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import type { Transport } from '@nitro-enclaves/vsock';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { placeIn } from '../enclave/place.ts';
import { EmulatorError } from '../error.ts';
import type { Faults } from '../faults.ts';
import { FaultController } from '../faults.ts';
import type { EmulatedKms } from '../kms/index.ts';
import { EmulatedNsm } from '../nsm/emulated-nsm.ts';
import type { EnclaveIdentity } from '../nsm/enclave-identity.ts';
import { instanceIdOf, moduleIdOf } from '../nsm/enclave-identity.ts';
import type { NsmServer } from '../nsm/nsm-server.ts';
import { serveNsm } from '../nsm/nsm-server.ts';
import type { EmulatorKmsOptions, ParentServices } from '../parent/parent-services.ts';
import { startParentServices } from '../parent/parent-services.ts';
import type { PayloadEncoding } from '../pki/document.ts';
import type { NitroPki } from '../pki/nitro-pki.ts';
import { createNitroPki } from '../pki/nitro-pki.ts';
import { Seed } from '../seed.ts';
import { faultyTransport } from '../transport/faulty-transport.ts';
import type { DescribeOptions } from './emulated-enclave.ts';
import { EmulatedEnclave } from './emulated-enclave.ts';
import { EmulatorFolder } from './emulator-folder.ts';
import type { EnclaveFolder } from './enclave-folder.ts';
import { createEnclaveFolder, removeEnclaveFolder } from './enclave-folder.ts';
import { reportExitStatus } from './exit-status.ts';
import type { Isolation } from './isolation.ts';
import { placeSeenFrom, planSpawn, probeIsolation } from './isolation.ts';
import { prepareProgram, withPlace } from './launch.ts';
import type { DescribeEnclaveOutput, TerminateEnclaveOutput } from './nitro-cli-output.ts';
import { expectParentIdentity } from './parent-identity.ts';
import type { EnclaveExit, Program } from './program.ts';
import type { EnclaveSettings, RunEnclaveOptions } from './run-options.ts';
import { chooseSettings } from './run-options.ts';

/** Options of {@link startEmulator}. */
export interface EmulatorOptions {
  /** Determines every key, id, random byte and fault. Default: random. */
  readonly seed?: string | Uint8Array | undefined;
  /** AWS region in the certificates. Default `us-east-1`. */
  readonly region?: string | undefined;
  /** Id of the emulated parent instance. Default: the seed's. */
  readonly instanceId?: string | undefined;
  /** ARN of the parent's IAM role, measured into PCR3; the KMS is in its account. Default: none. */
  readonly roleArn?: string | undefined;
  /** Folder for sockets and images, removed at the end: not there, empty, or left by an emulator that was killed. Default: a temporary one. */
  readonly folder?: string | undefined;
  /** Encoding of the documents' payload. Default `indefinite`. */
  readonly encoding?: PayloadEncoding | undefined;
  /** The hypervisor's clock, in ms since the epoch. Default: this machine's. */
  readonly clock?: (() => number) | undefined;
  readonly faults?: Faults | undefined;
  /** Keys and the like of the KMS; `false` for no KMS, no relay and no credentials. */
  readonly kms?: EmulatorKmsOptions | false | undefined;
  /**
   * Whether enclaves run in namespaces of their own where the kernel allows it. Default true. `false` lets them see this
   * machine's network, and tools such as debuggers see them.
   */
  readonly namespaces?: boolean | undefined;
  /** Told what people should know. Default: nobody is. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

const NO_ISOLATION: Isolation = {
  namespaces: false,
  warning: "enclaves run with this machine's network and files, unlike real ones: namespaces were not wanted",
};

/** Enclaves of one parent instance ("Considerations", Nitro Enclaves User Guide). */
const MOST_ENCLAVES = 4;

/** An enclave that is being started or runs. */
interface Slot {
  readonly settings: EnclaveSettings;
  enclave: EmulatedEnclave | undefined;
}

/** @throws {EmulatorError} `EMULATOR_ARGUMENT` for keys that are to last, in a folder that is removed. */
function expectStoreOutside(folder: string, { kms }: EmulatorOptions): void {
  const file = kms ? kms.store?.file : undefined;
  if (file === undefined || !resolve(file).startsWith(`${folder}${sep}`)) return;
  throw new EmulatorError('EMULATOR_ARGUMENT', `expected a store outside of ${folder}, which is removed at the end`);
}

function closed(): EmulatorError {
  return new EmulatorError('EMULATOR_CLOSED', 'expected an emulator that runs, found one that was closed');
}

/** What an {@link Emulator} is made of. */
interface EmulatorParts {
  readonly options: EmulatorOptions;
  readonly folder: EmulatorFolder;
  readonly pki: NitroPki;
  readonly seed: Seed;
  readonly isolation: Isolation;
}

/** A parent instance with its hypervisor: runs applications as enclaves, each with an NSM and a CID of its own. */
export class Emulator implements AsyncDisposable {
  /** Folder of everything that this emulator has on disk. */
  readonly folder: string;
  /** The trust anchor of its documents, DER: for verifiers, by name (`customTrustAnchor`). */
  readonly rootCertificate: Uint8Array;
  readonly instanceId: string;
  readonly pki: NitroPki;
  /** The parent's way to its enclaves, with the faults of the moment. */
  readonly transport: Transport;
  /** What goes wrong from now on: `emulator.faults.set({ … })`, `emulator.faults.clear()`. */
  readonly faults: FaultController;
  /** How far enclaves are kept to themselves on this machine. */
  readonly isolation: Isolation;
  #services: ParentServices | undefined;
  readonly #options: EmulatorOptions;
  readonly #seed: Seed;
  readonly #folder: EmulatorFolder;
  readonly #slots = new Set<Slot>();
  readonly #launches = new Set<Promise<EmulatedEnclave>>();
  readonly #onExit: () => void;
  #started = 0;
  #closing: Promise<void> | undefined;

  private constructor({ options, folder, pki, seed, isolation }: EmulatorParts) {
    this.#options = options;
    this.#seed = seed;
    this.#folder = folder;
    this.folder = folder.path;
    this.pki = pki;
    this.rootCertificate = pki.rootCertificate;
    this.instanceId = options.instanceId ?? instanceIdOf(seed);
    this.isolation = isolation;
    this.faults = new FaultController(seed, options.faults);
    this.transport = faultyTransport({
      transport: unixTransport({ folder: folder.sockets, cid: VMADDR_CID_PARENT }),
      faults: this.faults.transport,
      scratch: folder.path,
    });
    this.#onExit = () => this.#leaveNothing();
    process.once('exit', this.#onExit);
  }

  static async start(options: EmulatorOptions): Promise<Emulator> {
    expectParentIdentity(options);
    const seed = Seed.from(options.seed);
    const { region, clock } = options;
    // A seed that nobody chose makes no seed of the PKI either: its signatures need not come out the same again.
    const pkiSeed = seed.isChosen ? seed.bytes : undefined;
    const [pki, isolation] = await Promise.all([
      createNitroPki({ seed: pkiSeed, region, clock }),
      options.namespaces === false ? NO_ISOLATION : probeIsolation(),
    ]);
    if (isolation.warning !== undefined) options.onWarning?.(isolation.warning);
    const folder = await EmulatorFolder.create(options.folder);
    let emulator: Emulator | undefined;
    try {
      expectStoreOutside(folder.path, options);
      emulator = new Emulator({ options, folder, pki, seed, isolation });
      await emulator.#startServices();
      return emulator;
    } catch (error) {
      await (emulator ?? folder).close();
      throw error;
    }
  }

  async #startServices(): Promise<void> {
    const { kms = {}, roleArn } = this.#options;
    if (kms === false) return;
    const { pki, transport, faults, instanceId } = this;
    this.#services = await startParentServices({ pki, transport, faults, instanceId, roleArn, kms, seed: this.#seed });
  }

  /** The KMS, which enclaves reach through port 8000 of their parent; `undefined` when it was not wanted. */
  get kms(): EmulatedKms | undefined {
    return this.#services?.kms;
  }

  /** The enclaves that run. */
  get enclaves(): readonly EmulatedEnclave[] {
    return [...this.#slots].flatMap(({ enclave }) => enclave ?? []);
  }

  /**
   * Starts an application as an enclave: measured, with an NSM and a CID of its own, and with no network but the transport
   * where the kernel allows it. As on Nitro, this says nothing about whether the application has come up.
   * @throws {EmulatorError} `EMULATOR_ARGUMENT`, `EMULATOR_COMMAND`, `EMULATOR_IMAGE`, `EMULATOR_MEMORY`,
   * `EMULATOR_NAMESPACES`, `EMULATOR_CLOSED`
   * @throws {EifError} when the image is not well-formed.
   */
  async runEnclave(options: RunEnclaveOptions): Promise<EmulatedEnclave> {
    this.#expectOpen();
    options.signal?.throwIfAborted();
    const slot = this.#takeSlot(options);
    const launch = this.#launch(slot, options);
    this.#launches.add(launch);
    try {
      slot.enclave = await launch;
    } catch (error) {
      this.#slots.delete(slot);
      throw error;
    } finally {
      this.#launches.delete(launch);
    }
    if (this.#closing === undefined) return slot.enclave;
    await slot.enclave.terminate();
    throw closed();
  }

  /** What `nitro-cli describe-enclaves` prints. */
  describeEnclaves(options?: DescribeOptions): DescribeEnclaveOutput[] {
    return this.enclaves.map((enclave) => enclave.describe(options));
  }

  /**
   * The console of an enclave in debug mode, by its id or name.
   * @throws {EmulatorError} `EMULATOR_ENCLAVE_UNKNOWN`, `EMULATOR_CONSOLE`
   */
  console(enclave: string): Readable {
    return this.find(enclave).console();
  }

  /**
   * Ends an enclave, by its id or name.
   * @throws {EmulatorError} `EMULATOR_ENCLAVE_UNKNOWN`
   */
  terminateEnclave(enclave: string): Promise<TerminateEnclaveOutput> {
    return this.find(enclave).terminate();
  }

  /**
   * An enclave by its id or name.
   * @throws {EmulatorError} `EMULATOR_ENCLAVE_UNKNOWN`
   */
  find(enclave: string): EmulatedEnclave {
    const found = this.enclaves.find(({ enclaveId, name }) => enclaveId === enclave || name === enclave);
    if (found !== undefined) return found;
    throw new EmulatorError(
      'EMULATOR_ENCLAVE_UNKNOWN',
      `expected the id or name of an enclave that runs, found ${enclave}`,
    );
  }

  /** Ends all enclaves and leaves nothing behind: no process, no socket, no file. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Whatever fails, the rest is closed too: a server left open would keep the process alive.
    try {
      // What is being started would make its files again after they were removed.
      const started = await Promise.allSettled(this.#launches);
      const late = started.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
      const enclaves = new Set([...this.enclaves, ...late]);
      await Promise.all([...enclaves].map((enclave) => enclave.terminate()));
    } finally {
      process.off('exit', this.#onExit);
      await this.#closeParent();
    }
  }

  async #closeParent(): Promise<void> {
    try {
      await this.#services?.close();
    } finally {
      await this.#folder.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #expectOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }

  #takeSlot(options: RunEnclaveOptions): Slot {
    if (this.#slots.size >= MOST_ENCLAVES) {
      throw new EmulatorError('EMULATOR_ARGUMENT', `expected at most ${MOST_ENCLAVES} enclaves at once, as on Nitro`);
    }
    const settings = [...this.#slots].map((taken) => taken.settings);
    const taken = { cids: new Set(settings.map(({ cid }) => cid)), names: new Set(settings.map(({ name }) => name)) };
    const slot: Slot = { settings: chooseSettings(options, taken), enclave: undefined };
    this.#slots.add(slot);
    return slot;
  }

  async #launch(slot: Slot, options: RunEnclaveOptions): Promise<EmulatedEnclave> {
    const { settings } = slot;
    const kmsCa = this.kms?.ca;
    const identity = { cid: settings.cid, ...(kmsCa !== undefined && { kmsCa }) };
    const folder = await createEnclaveFolder(this.folder, identity);
    const cleanUps: (() => Promise<void>)[] = [() => removeEnclaveFolder(this.folder, settings.cid, folder)];
    const cleanUp = async () => {
      const left = await Promise.allSettled(cleanUps.map((each) => each()));
      const failed = left.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    };
    try {
      const { program, measurements, metadata } = await prepareProgram(options, settings, folder.image);
      this.#started += 1;
      const seed = this.#seed.child(`enclave ${this.#started}`);
      const enclaveId = moduleIdOf(this.instanceId, seed);
      const { debugMode } = settings;
      const nsm = this.#createNsm({ moduleId: enclaveId, measurements, debugMode }, seed);
      const server: NsmServer = await serveNsm(nsm, placeIn(folder.place).nsmSocket);
      cleanUps.push(() => server.close());
      return await EmulatedEnclave.start({
        settings,
        enclaveId,
        measurements,
        metadata,
        plan: this.#plan(program, folder),
        workingDirectory: program.root ?? program.workingDirectory,
        cleanUp: async (exit) => {
          try {
            await this.#report(exit, settings.cid, program);
          } finally {
            // Only then: the next enclave of this CID has the same folder and sockets.
            await cleanUp().finally(() => this.#slots.delete(slot));
          }
        },
      });
    } catch (error) {
      await cleanUp();
      throw error;
    }
  }

  #createNsm(image: Pick<EnclaveIdentity, 'moduleId' | 'measurements' | 'debugMode'>, seed: Seed): EmulatedNsm {
    const { roleArn, encoding } = this.#options;
    const identity = { ...image, instanceId: this.instanceId, roleArn };
    return new EmulatedNsm({ pki: this.pki, identity, seed, faults: this.faults.nsm, encoding });
  }

  #plan(program: Program, { place }: EnclaveFolder): ReturnType<typeof planSpawn> {
    const folders = { place, sockets: this.#folder.sockets };
    return planSpawn(withPlace(program, placeSeenFrom(program, folders)), folders, this.isolation);
  }

  async #report(exit: EnclaveExit, cid: number, { exitStatusPort }: Program): Promise<void> {
    if (exitStatusPort === undefined || exit.terminated) return;
    await reportExitStatus(exit, unixTransport({ folder: this.#folder.sockets, cid }), exitStatusPort);
  }

  /** For a process that ends without having closed its emulator. */
  #leaveNothing(): void {
    for (const enclave of this.enclaves) enclave.kill();
    this.#folder.closeSync();
  }
}

/** Starts an emulator in this process: a PKI, a hypervisor and a parent's transport, in well under a second. */
export function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  return Emulator.start(options);
}
