import { fail } from '../error.ts';
import { findDuplicateKey } from './json-keys.ts';
import { decodeText } from './text.ts';

/**
 * The metadata section's JSON. **No PCR covers it**: whoever can write the file can write anything here, so show it,
 * never decide on it.
 */
export interface EifMetadata {
  readonly imageName: string;
  readonly imageVersion: string;
  /** RFC 3339, as written. */
  readonly buildTime: string;
  readonly buildTool: string;
  readonly buildToolVersion: string;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
  /** What `docker inspect` said of the image, or null. */
  readonly dockerInfo: unknown;
  /** What the builder's user added, or null. */
  readonly customMetadata: unknown;
}

/** AWS's reader refuses more levels. */
const MAX_DEPTH = 128;

function checkDepth(value: unknown, depth: number): void {
  if (value === null || typeof value !== 'object') return;
  if (depth > MAX_DEPTH) fail('EIF_METADATA_JSON', `expected at most ${MAX_DEPTH} nested levels in the metadata`);
  for (const item of Object.values(value)) checkDepth(item, depth + 1);
}

function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    fail('EIF_METADATA_JSON', 'expected JSON in the metadata section', { cause });
  }
  checkDepth(value, 1);
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) {
    fail(
      'EIF_METADATA_DUPLICATE_KEY',
      `expected each key once in the metadata, found ${JSON.stringify(duplicate)} twice`,
    );
  }
  return value;
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectAt(value: unknown, path: string): JsonObject {
  return isObject(value) ? value : fail('EIF_METADATA_FIELD', `expected an object at ${path}`, { path });
}

function stringAt(object: JsonObject, name: string, parent: string): string {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  const path = `${parent}.${name}`;
  return typeof value === 'string' ? value : fail('EIF_METADATA_FIELD', `expected text at ${path}`, { path });
}

/**
 * Decodes the metadata section. Fields that the format does not name are passed over.
 * @throws {EifError} `EIF_METADATA_TEXT` when it is not UTF-8, `EIF_METADATA_JSON`,
 * `EIF_METADATA_DUPLICATE_KEY`, `EIF_METADATA_FIELD`.
 */
export function decodeMetadata(bytes: Uint8Array): EifMetadata {
  const root = objectAt(parseJson(decodeText(bytes, 'EIF_METADATA_TEXT', 'metadata')), '$');
  const build = objectAt(root['BuildMetadata'], '$.BuildMetadata');
  if (!Object.hasOwn(root, 'DockerInfo')) {
    fail('EIF_METADATA_FIELD', 'expected a value at $.DockerInfo, null where there is none', { path: '$.DockerInfo' });
  }
  return {
    imageName: stringAt(root, 'ImageName', '$'),
    imageVersion: stringAt(root, 'ImageVersion', '$'),
    buildTime: stringAt(build, 'BuildTime', '$.BuildMetadata'),
    buildTool: stringAt(build, 'BuildTool', '$.BuildMetadata'),
    buildToolVersion: stringAt(build, 'BuildToolVersion', '$.BuildMetadata'),
    operatingSystem: stringAt(build, 'OperatingSystem', '$.BuildMetadata'),
    kernelVersion: stringAt(build, 'KernelVersion', '$.BuildMetadata'),
    dockerInfo: root['DockerInfo'],
    customMetadata: root['CustomMetadata'] ?? null,
  };
}
