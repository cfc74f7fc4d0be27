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

/** SubjectPublicKeyInfo (DER) of the material of a key that is not symmetric. */
export function publicKeyOf(material: Uint8Array): Uint8Array {
  return createPublicKey(privateKeyOf(material)).export({ type: 'spki', format: 'der' });
}

/** 64 hexadecimal digits that name a key's material without telling anything about it. */
export function keyMaterialId(keyId: string): string {
  return createHash('sha256').update(`key material of ${keyId}`).digest('hex');
}
