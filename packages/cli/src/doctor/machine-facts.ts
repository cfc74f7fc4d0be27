import { access, constants, readdir, readFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import type { CommandContext } from '../command-context.ts';
import { withNsm } from '../nsm/with-nsm.ts';
import type { NsmFacts } from './nsm-facts.ts';
import { askNsm } from './nsm-facts.ts';

/** Whether a device file is there, and whether this process may use it. */
export type DeviceState = 'usable' | 'forbidden' | 'absent';

/** What of a machine tells which place it is. */
export interface MachineFacts {
  readonly platform: string;
  readonly architecture: string;
  readonly node: string;
  /** Whether the emulator says that it runs this process. */
  readonly emulated: boolean;
  readonly nsmDevice: DeviceState;
  /** Whether there is an NSM among the virtio devices, whatever driver the kernel has. */
  readonly nsmHardware: boolean;
  readonly vsockDevice: DeviceState;
  /** The parent's driver, /dev/nitro_enclaves. */
  readonly enclavesDevice: DeviceState;
  /** The answer of the NSM, or why there is none; `undefined` where there is no NSM to ask. */
  readonly nsm: NsmFacts | Error | undefined;
  /** This machine's CID, or why it cannot be told. */
  readonly localCid: number | Error;
  readonly nitroCli: boolean;
  /** Text of the allocator's configuration. */
  readonly allocator: string | undefined;
  /** Whether the DMI tables name Amazon EC2. */
  readonly ec2: boolean;
}

async function deviceState(path: string): Promise<DeviceState> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    return 'usable';
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EACCES' ? 'forbidden' : 'absent';
  }
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

const VIRTIO_DEVICES = '/sys/bus/virtio/devices';
/** `VIRTIO_ID_NITRO_SEC_MOD` of Linux, include/uapi/linux/virtio_ids.h. */
const VIRTIO_ID_NITRO_SEC_MOD = 33;

async function hasNsmHardware(): Promise<boolean> {
  const devices = await readdir(VIRTIO_DEVICES).catch((): string[] => []);
  const ids = await Promise.all(devices.map((device) => textOf(`${VIRTIO_DEVICES}/${device}/device`)));
  return ids.some((id) => Number(id) === VIRTIO_ID_NITRO_SEC_MOD);
}

async function isOnPath(program: string, path: string): Promise<boolean> {
  for (const folder of path.split(delimiter)) {
    const names = folder === '' ? [] : await readdir(folder).catch((): string[] => []);
    if (names.includes(program)) return true;
  }
  return false;
}

async function nsmFacts(context: CommandContext): Promise<NsmFacts | Error> {
  try {
    return await withNsm(context, (nsm) => askNsm(nsm, context.signal));
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function localCid(): Promise<number | Error> {
  try {
    const { vsockTransport } = await import('@nitro-enclaves/vsock');
    return vsockTransport().localCid;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Looks at the machine. Connects to nothing but the NSM. */
export async function readMachineFacts(context: CommandContext): Promise<MachineFacts> {
  const emulated = Boolean(context.env['NITRO_ENCLAVES_EMULATOR']);
  const nsmDevice = await deviceState('/dev/nsm');
  const vendor = (await textOf('/sys/class/dmi/id/sys_vendor')) ?? '';
  return {
    platform: process.platform,
    architecture: process.arch,
    node: process.versions.node,
    emulated,
    nsmDevice,
    nsmHardware: await hasNsmHardware(),
    vsockDevice: await deviceState('/dev/vsock'),
    enclavesDevice: await deviceState('/dev/nitro_enclaves'),
    nsm: emulated || nsmDevice !== 'absent' ? await nsmFacts(context) : undefined,
    localCid: await localCid(),
    nitroCli: await isOnPath('nitro-cli', context.env['PATH'] ?? ''),
    allocator: await textOf('/etc/nitro_enclaves/allocator.yaml'),
    ec2: vendor.trim() === 'Amazon EC2',
  };
}
