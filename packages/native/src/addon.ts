import { createRequire } from 'node:module';
import { NativeUnavailableError } from './error.ts';

/**
 * What the C sources export. Numbers below zero are `-errno`. A descriptor given to `connect` or `listen` belongs to
 * the addon from then on; one that it reports belongs to whoever is told, once told.
 */
export interface Addon {
  /** Starts the epoll thread; everything that takes time is reported to `report`. Once, before all that returns an id. */
  start(report: Report): number;
  /** Whether what is going on keeps the process alive. */
  hold(on: boolean): void;
  socket(family: number): number;
  close(descriptor: number): number;
  /** Says that a descriptor is a handle of Node's now. All others are closed at the end of their worker. */
  keep(descriptor: number): void;
  /** Moves `from` to the number `onto`, whatever was open there. `from` stays open. */
  duplicate(from: number, onto: number): number;
  bind(descriptor: number, name: Uint8Array): number;
  localName(descriptor: number): Uint8Array | number;
  peerName(descriptor: number): Uint8Array | number;
  setOption(descriptor: number, level: number, option: number, value: Uint8Array): number;
  getOption(descriptor: number, level: number, option: number): Uint8Array | number;
  /** Id. One report: the connected descriptor, or why there is none; after `remove`, or when `timeout` ms are over. */
  connect(descriptor: number, name: Uint8Array, timeout: number): number;
  /** Id. One report for each connection; after `remove` a last one, `-ECANCELED`, when the port is free. */
  listen(descriptor: number, backlog: number): number;
  remove(id: number): void;
  localCid(): number;
  /** Id of the device, which has a thread of its own. */
  nsmOpen(path: string): number;
  /** Id. One report: 0 and the answer, or why there is none. One request at a time: the next meets `-EBUSY`. */
  nsmRequest(device: number, request: Uint8Array): number;
  /** One report under the id of the device, when its descriptor is closed. */
  nsmClose(device: number): number;
}

/** `peer` and `local` are socket names of an accepted connection; `peer` is the answer where the NSM was asked. */
export type Report = (id: number, result: number, peer?: Uint8Array, local?: Uint8Array) => void;

const PLATFORMS: ReadonlySet<string> = new Set(['linux-x64', 'linux-arm64']);

let loaded: Addon | undefined;

/** The addon of this machine, loaded when first asked for so that everything can be imported everywhere. */
export function addon(): Addon {
  loaded ??= load<Addon>(`${process.platform}-${process.arch}`, 'nitro-enclaves.node');
  return loaded;
}

/**
 * Loads one of the binaries that the package carries for each platform.
 * @throws {NativeUnavailableError}
 */
export function load<Exports>(platform: string, file: string): Exports {
  if (!PLATFORMS.has(platform)) {
    const supported = [...PLATFORMS].join(' or ');
    const message = `expected ${supported}, found ${platform}: AF_VSOCK and the NSM exist on Linux only`;
    throw new NativeUnavailableError('NATIVE_UNSUPPORTED_PLATFORM', message);
  }
  const path = `prebuilds/${platform}/${file}`;
  try {
    return createRequire(import.meta.url)(`../${path}`);
  } catch (error) {
    const message =
      `expected an addon that loads at ../${path} from ${import.meta.url}, found none; ` +
      'a bundle needs a copy of the folder prebuilds of @nitro-enclaves/native beside its own folder';
    throw new NativeUnavailableError('NATIVE_NOT_LOADED', message, error);
  }
}
