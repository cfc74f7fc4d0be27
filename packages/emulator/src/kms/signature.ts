import type { JsonWebKey, KeyObject } from 'node:crypto';
import { constants, createHash, createPublicKey, privateEncrypt, publicDecrypt } from 'node:crypto';
import { bytesEqual, CertificateError, concatBytes, DerError, decodeEcdsaSignature } from '@nitro-enclaves/core';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { encodeDer, encodeEcdsaSignature } from '../pki/der-writer.ts';
import type { SigningHash } from './emsa-pss.ts';
import { encodePss, verifyPss } from './emsa-pss.ts';
import { privateKeyOf } from './key-material.ts';
import type { KmsKey } from './key-ring.ts';
import type { KeySpec, SigningAlgorithm } from './key-spec.ts';

/** How a signing algorithm is put together. */
interface Scheme {
  readonly padding: 'pss' | 'pkcs1' | 'ecdsa';
  readonly hash: SigningHash;
}

const HASHES: Readonly<Record<string, SigningHash>> = { '256': 'sha256', '384': 'sha384', '512': 'sha512' };

/** Object identifiers of the hash functions (RFC 8017 §B.1): 2.16.840.1.101.3.4.2.n. */
const HASH_ARC: Readonly<Record<SigningHash, number>> = { sha256: 1, sha384: 2, sha512: 3 };

const CURVES: Partial<Record<KeySpec, { readonly curve: typeof p256; readonly bytes: number }>> = {
  ECC_NIST_P256: { curve: p256, bytes: 32 },
  ECC_NIST_P384: { curve: p384, bytes: 48 },
  ECC_NIST_P521: { curve: p521, bytes: 66 },
  ECC_SECG_P256K1: { curve: secp256k1, bytes: 32 },
};

function schemeOf(algorithm: SigningAlgorithm): Scheme {
  const hash = HASHES[algorithm.slice(-3)] ?? 'sha256';
  if (algorithm.startsWith('ECDSA')) return { padding: 'ecdsa', hash };
  return { padding: algorithm.startsWith('RSASSA_PSS') ? 'pss' : 'pkcs1', hash };
}

/** The digest that an algorithm signs. */
export function digestFor(algorithm: SigningAlgorithm, message: Uint8Array): Uint8Array {
  return createHash(schemeOf(algorithm).hash).update(message).digest();
}

/** Length of that digest, in bytes. */
export function digestBytes(algorithm: SigningAlgorithm): number {
  return Number(algorithm.slice(-3)) / 8;
}

/** DigestInfo (RFC 8017 §9.2). */
function digestInfo(digest: Uint8Array, hash: SigningHash): Uint8Array {
  const identifier = encodeDer(0x06, Uint8Array.of(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, HASH_ARC[hash]));
  return encodeDer(0x30, encodeDer(0x30, identifier, encodeDer(0x05)), encodeDer(0x04, digest));
}

function coordinate(jwk: JsonWebKey, name: 'd' | 'x' | 'y', bytes: number): Uint8Array {
  const value = Buffer.from(jwk[name] ?? '', 'base64url');
  return concatBytes(new Uint8Array(bytes - value.length), value);
}

function curveOf({ keySpec }: KmsKey): { readonly curve: typeof p256; readonly bytes: number } {
  const found = CURVES[keySpec];
  if (found === undefined) throw new TypeError(`expected a key on a curve, found ${keySpec}`);
  return found;
}

function signEcdsa(key: KmsKey, digest: Uint8Array): Uint8Array {
  const { curve, bytes } = curveOf(key);
  const scalar = coordinate(privateKeyOf(key.material).export({ format: 'jwk' }), 'd', bytes);
  const signature = curve.sign(digest, scalar, { prehash: false, lowS: false, format: 'compact' });
  scalar.fill(0);
  return encodeEcdsaSignature(signature);
}

/** r and s, or null when the bytes are no Ecdsa-Sig-Value. */
function readEcdsa(signature: Uint8Array, bytes: number): Uint8Array | null {
  try {
    return decodeEcdsaSignature(signature, bytes);
  } catch (error) {
    if (error instanceof DerError || error instanceof CertificateError) return null;
    throw error;
  }
}

function verifyEcdsa(key: KmsKey, digest: Uint8Array, signature: Uint8Array): boolean {
  const { curve, bytes } = curveOf(key);
  const jwk = privateKeyOf(key.material).export({ format: 'jwk' });
  const point = concatBytes(Uint8Array.of(4), coordinate(jwk, 'x', bytes), coordinate(jwk, 'y', bytes));
  const compact = readEcdsa(signature, bytes);
  return compact !== null && curve.verify(compact, digest, point, { prehash: false, lowS: false, format: 'compact' });
}

function modulusBytes(key: KeyObject): number {
  return (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
}

/** Signs a digest. ECDSA signatures are DER, RSA's as long as the modulus. */
export function signDigest(key: KmsKey, digest: Uint8Array, algorithm: SigningAlgorithm): Uint8Array {
  const { padding, hash } = schemeOf(algorithm);
  if (padding === 'ecdsa') return signEcdsa(key, digest);
  const privateKey = privateKeyOf(key.material);
  if (padding === 'pkcs1')
    return privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, digestInfo(digest, hash));
  const encoded = encodePss(digest, modulusBytes(privateKey), hash);
  return privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, encoded);
}

function recover(key: KeyObject, signature: Uint8Array, padding: number): Uint8Array | null {
  try {
    return publicDecrypt({ key, padding }, signature);
  } catch {
    // OpenSSL refuses what is no signature of this key; which way it is none does not matter.
    return null;
  }
}

/** Whether a signature of a digest holds. */
export function verifyDigest(
  key: KmsKey,
  { digest, signature }: { digest: Uint8Array; signature: Uint8Array },
  algorithm: SigningAlgorithm,
): boolean {
  const { padding, hash } = schemeOf(algorithm);
  if (padding === 'ecdsa') return verifyEcdsa(key, digest, signature);
  const publicKey = createPublicKey(privateKeyOf(key.material));
  if (signature.length !== modulusBytes(publicKey)) return false;
  const isPss = padding === 'pss';
  const recovered = recover(publicKey, signature, isPss ? constants.RSA_NO_PADDING : constants.RSA_PKCS1_PADDING);
  if (recovered === null) return false;
  return isPss ? verifyPss(recovered, digest, hash) : bytesEqual(recovered, digestInfo(digest, hash));
}
