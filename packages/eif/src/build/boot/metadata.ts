import { readFileSync } from 'node:fs';
import { failBuild } from '../error.ts';
import type { KernelIdentity } from './kernel.ts';

/** What goes into the metadata section, which no PCR covers. */
export interface MetadataOptions {
  /** Default: the image's name up to the tag, or `enclave`. */
  readonly name?: string;
  /** Default: the image's id, or `1.0`. */
  readonly version?: string;
  /**
   * When the image was built. Default: the environment's SOURCE_DATE_EPOCH, or 1970-01-01T00:00:00Z, never the present:
   * the same input is the same file.
   */
  readonly buildTime?: Date;
  /** Any JSON value of at most 4096 bytes. */
  readonly metadata?: unknown;
}

/** What the source of the image's files says of itself. */
export interface SourceIdentity {
  readonly name: string;
  readonly version: string;
  /** Shown as nitro-cli's DockerInfo; never with the configuration, whose environment and command may hold secrets. */
  readonly info: Readonly<Record<string, unknown>> | null;
}

const BUILD_TOOL = 'nitro-enclaves';
/** nitro-cli's limit for custom metadata. */
const MAX_CUSTOM_BYTES = 4096;

function toolVersion(): string {
  const file: { version?: unknown } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  );
  return String(file.version);
}

function sourceDateEpoch(text: string): Date {
  const time = new Date(Number(text) * 1000);
  if (/^\d+$/.test(text) && Number.isFinite(time.getTime())) return time;
  return failBuild('BUILD_METADATA', `expected SOURCE_DATE_EPOCH to be seconds since 1970, found "${text}"`);
}

function buildTime({ buildTime: given }: MetadataOptions): string {
  const time = given ?? sourceDateEpoch(process.env['SOURCE_DATE_EPOCH'] ?? '0');
  if (!Number.isFinite(time.getTime())) failBuild('BUILD_METADATA', 'expected a valid build time');
  return time
    .toISOString()
    .replace(/\.000Z$/, '+00:00')
    .replace('Z', '+00:00');
}

function asJson(value: unknown): string {
  try {
    const json: unknown = JSON.stringify(value);
    if (typeof json === 'string') return json;
  } catch (cause) {
    failBuild('BUILD_METADATA', 'expected custom metadata that JSON can say', { cause });
  }
  return failBuild('BUILD_METADATA', 'expected custom metadata that JSON can say');
}

function customMetadata({ metadata = null }: MetadataOptions): unknown {
  const json = asJson(metadata);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_CUSTOM_BYTES) {
    failBuild('BUILD_METADATA', `expected custom metadata of at most ${MAX_CUSTOM_BYTES} bytes, found ${bytes}`);
  }
  return metadata;
}

/**
 * Encodes the metadata section, in the order of AWS's builder.
 * @throws {EifBuildError} `BUILD_METADATA`.
 */
export function encodeMetadata(options: MetadataOptions, source: SourceIdentity, kernel: KernelIdentity): Uint8Array {
  const metadata = {
    ImageName: options.name ?? source.name,
    ImageVersion: options.version ?? source.version,
    BuildMetadata: {
      BuildTime: buildTime(options),
      BuildTool: BUILD_TOOL,
      BuildToolVersion: toolVersion(),
      OperatingSystem: kernel.operatingSystem,
      KernelVersion: kernel.kernelVersion,
    },
    DockerInfo: source.info,
    CustomMetadata: customMetadata(options),
  };
  return Buffer.from(JSON.stringify(metadata));
}
