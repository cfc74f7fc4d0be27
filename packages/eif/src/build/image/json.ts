import { failBuild } from '../error.ts';
import type { Region } from '../tar/region.ts';
import { readRegion } from '../tar/region.ts';

/** An object out of a manifest: what is in it has yet to be looked at. */
export type JsonObject = Readonly<Record<string, unknown>>;

const MAX_JSON_BYTES = 4 << 20;

/** Parses a file of the image. */
export function readJson(region: Region, name: string): unknown {
  if (region.size > MAX_JSON_BYTES) {
    failBuild('BUILD_MANIFEST', `expected at most ${MAX_JSON_BYTES} bytes, found ${region.size}`, { path: name });
  }
  try {
    return JSON.parse(readRegion(region, 0, region.size).toString('utf8'));
  } catch (cause) {
    return failBuild('BUILD_MANIFEST', 'expected JSON', { cause, path: name });
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export function expectObject(value: unknown, path: string): JsonObject {
  return isObject(value) ? value : failBuild('BUILD_MANIFEST', 'expected an object', { path });
}

export function expectObjects(value: unknown, path: string): readonly JsonObject[] {
  if (Array.isArray(value) && value.every(isObject)) return value;
  return failBuild('BUILD_MANIFEST', 'expected an array of objects', { path });
}

export function expectText(value: unknown, path: string): string {
  return typeof value === 'string' ? value : failBuild('BUILD_MANIFEST', 'expected a text', { path });
}

export function expectTexts(value: unknown, path: string): readonly string[] {
  return isTextArray(value) ? value : failBuild('BUILD_MANIFEST', 'expected an array of texts', { path });
}

/** A text that may be missing, or null. */
export function optionalText(value: unknown, path: string): string | undefined {
  return value === undefined || value === null ? undefined : expectText(value, path);
}

/** An array of texts that may be missing, or null. */
export function optionalTexts(value: unknown, path: string): readonly string[] | undefined {
  return value === undefined || value === null ? undefined : expectTexts(value, path);
}
