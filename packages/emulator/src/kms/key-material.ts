import type { KeyObject } from 'node:crypto';
import { createHash, createPrivateKey, createPublicKey, generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyPairSpec, KeySpec } from './key-spec.ts';
import { KEY_SPECS } from './key-spec.ts';

const generate = promisify(generateKeyPair);

export const AES_KEY_BYTES = 32;

/** A fresh pair: PKCS #8 and SubjectPublicKeyInfo, both DER. */
export interface EncodedKeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

async function generatePair(spec: KeyPairSpec): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  const { shape } = KEY_SPECS[spec];
  if (shape.type === 'ec') return generate('ec', { namedCurve: shape.namedCurve });
  return generate('rsa', { modulusLength: shape.type === 'rsa' ? shape.modulusLength : 2048 });
}

/** Makes a key pair of `spec`. */
export async function generateEncodedKeyPair(spec: KeyPairSpec): Promise<EncodedKeyPair> {
  const { privateKey, publicKey } = await generatePair(spec);
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
  };
}

/** Makes the material of a key: 32 bytes for AES, PKCS #8 (DER) for pairs. */
export async function generateMaterial(spec: KeySpec): Promise<Uint8Array> {
  if (spec === 'SYMMETRIC_DEFAULT') return randomBytes(AES_KEY_BYTES);
  return (await generateEncodedKeyPair(spec)).privateKey;
}

/** The private key in the material of a key that is not symmetric. */
export function privateKeyOf(material: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(material), format: 'der', type: 'pkcs8' });
}

function shapeOf(material: Uint8Array): { modulusLength?: number | undefined; namedCurve?: string | undefined } {
  try {
    return privateKeyOf(material).asymmetricKeyDetails ?? {};
  } catch {
    return {};
  }
}

/** OpenSSL's names of the curves. */
const CURVE_NAMES = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
  secp256k1: 'secp256k1',
} as const;

/** Whether `material` can be that of a key of `spec`. */
export function isMaterialOf(material: Uint8Array, spec: KeySpec): boolean {
  const { shape } = KEY_SPECS[spec];
  if (shape.type === 'aes') return material.length === AES_KEY_BYTES;
  const { modulusLength, namedCurve } = shapeOf(material);
  return shape.type === 'rsa' ? modulusLength === shape.modulusLength : namedCurve === CURVE_NAMES[shape.namedCurve];
}

/** SubjectPublicKeyInfo (DER) of the material of a key that is not symmetric. */
export function publicKeyOf(material: Uint8Array): Uint8Array {
  return createPublicKey(privateKeyOf(material)).export({ type: 'spki', format: 'der' });
}

/** 64 hexadecimal digits that name a key's material without telling anything about it. */
export function keyMaterialId(keyId: string): string {
  return createHash('sha256').update(`key material of ${keyId}`).digest('hex');
}
