import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import {
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  customTrustAnchor,
  PolicyConfigurationError,
} from '@nitro-enclaves/attestation';
import { parseBytes } from './bytes-notation.ts';

/** A policy on its way: checked whole by the verifier, not here. */
export type PolicyDraft = Record<PropertyKey, unknown>;

/** The opt-ins, which JSON has no symbols for. */
const OPT_INS: ReadonlyMap<string, symbol> = new Map([
  ['allowAnyImage', allowAnyImage],
  ['allowAnyAge', allowAnyAge],
  ['allowDebugMode', allowDebugMode],
  ['allowKmsRecipientDocument', allowKmsRecipientDocument],
  ['customTrustAnchor', customTrustAnchor],
]);

/** Options whose values are bytes, wherever they stand in the file. */
const BYTES_OPTIONS: ReadonlySet<string> = new Set([
  ...['publicKey', 'userData', 'nonce', 'content', 'customTrustAnchor'],
]);

function readBytesOption(value: unknown, path: string): unknown {
  if (typeof value !== 'string') return value;
  try {
    return parseBytes(value);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new PolicyConfigurationError('POLICY_OPTION_TYPE', `policy ${path}: ${message}`, { cause, path });
  }
}

function readValue(name: string, value: unknown, path: string): unknown {
  if (BYTES_OPTIONS.has(name)) return readBytesOption(value, path);
  if (Array.isArray(value)) return value.map((item, index) => readValue('', item, `${path}[${index}]`));
  return typeof value === 'object' && value !== null ? readObject(value, path) : value;
}

function readObject(object: object, path: string): PolicyDraft {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [name, readValue(name, value, `${path}.${name}`)]),
  );
}

/** The policy that a parsed JSON file stands for: the options of `AttestationPolicy`, bytes as text, opt-ins by name. */
export function policyFromJson(json: unknown): PolicyDraft {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new PolicyConfigurationError('POLICY_NOT_AN_OBJECT', 'policy: expected a JSON object, found another value');
  }
  const named = readObject(json, '');
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [OPT_INS.get(name) ?? name, value]));
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PolicyConfigurationError('POLICY_NOT_AN_OBJECT', `policy: expected ${path} to be JSON`, { cause });
  }
}

/** Reads a policy file. */
export async function readPolicyFile(file: string, cwd: string): Promise<PolicyDraft> {
  return policyFromJson(await readJson(resolve(cwd, file)));
}

/** Reads the image in a file of nitro-cli's output (`{"Measurements": {"PCR0": …}}`), named after the file. */
export async function readMeasurements(file: string, cwd: string): Promise<unknown> {
  const json = await readJson(resolve(cwd, file));
  const measurements: unknown = Reflect.get(Object(json), 'Measurements') ?? json;
  const pcrs = Object.entries(Object(measurements)).flatMap(([name, value]) => {
    const index = name.match(/^PCR(\d+)$/)?.[1];
    return index === undefined ? [] : [[index, value] as const];
  });
  return { name: basename(file), pcrs: Object.fromEntries(pcrs) };
}
