/** What a key is for. */
export type KeyUsage = 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY' | 'KEY_AGREEMENT';

/** Key specs that are emulated. */
export type KeySpec =
  | 'SYMMETRIC_DEFAULT'
  | 'RSA_2048'
  | 'RSA_3072'
  | 'RSA_4096'
  | 'ECC_NIST_P256'
  | 'ECC_NIST_P384'
  | 'ECC_NIST_P521'
  | 'ECC_SECG_P256K1';

/** Specs of the pairs that GenerateDataKeyPair makes. */
export type KeyPairSpec = Exclude<KeySpec, 'SYMMETRIC_DEFAULT'>;

export type EncryptionAlgorithm = 'SYMMETRIC_DEFAULT' | 'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256';

export type SigningAlgorithm =
  | `RSASSA_PSS_SHA_${256 | 384 | 512}`
  | `RSASSA_PKCS1_V1_5_SHA_${256 | 384 | 512}`
  | `ECDSA_SHA_${256 | 384 | 512}`;

/** How the material of a spec is made. */
export type KeyShape =
  | { readonly type: 'aes' }
  | { readonly type: 'rsa'; readonly modulusLength: number }
  | { readonly type: 'ec'; readonly namedCurve: 'P-256' | 'P-384' | 'P-521' | 'secp256k1' };

/** What a key of one spec can do (AWS KMS Developer Guide, "Key spec reference"). */
export interface KeySpecTraits {
  readonly shape: KeyShape;
  readonly usages: readonly KeyUsage[];
  readonly encryptionAlgorithms: readonly EncryptionAlgorithm[];
  readonly signingAlgorithms: readonly SigningAlgorithm[];
}

const RSA_SIGNING: readonly SigningAlgorithm[] = [
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
];

function rsa(modulusLength: number): KeySpecTraits {
  return {
    shape: { type: 'rsa', modulusLength },
    usages: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY'],
    encryptionAlgorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
    signingAlgorithms: RSA_SIGNING,
  };
}

function nist(namedCurve: 'P-256' | 'P-384' | 'P-521', hash: 256 | 384 | 512): KeySpecTraits {
  return {
    shape: { type: 'ec', namedCurve },
    usages: ['SIGN_VERIFY', 'KEY_AGREEMENT'],
    encryptionAlgorithms: [],
    signingAlgorithms: [`ECDSA_SHA_${hash}`],
  };
}

export const KEY_SPECS: Readonly<Record<KeySpec, KeySpecTraits>> = {
  SYMMETRIC_DEFAULT: {
    shape: { type: 'aes' },
    usages: ['ENCRYPT_DECRYPT'],
    encryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    signingAlgorithms: [],
  },
  RSA_2048: rsa(2048),
  RSA_3072: rsa(3072),
  RSA_4096: rsa(4096),
  ECC_NIST_P256: nist('P-256', 256),
  ECC_NIST_P384: nist('P-384', 384),
  ECC_NIST_P521: nist('P-521', 512),
  ECC_SECG_P256K1: {
    shape: { type: 'ec', namedCurve: 'secp256k1' },
    usages: ['SIGN_VERIFY'],
    encryptionAlgorithms: [],
    signingAlgorithms: ['ECDSA_SHA_256'],
  },
};

/** Specs that AWS has and this emulator has not. */
export const FOREIGN_KEY_SPECS: readonly string[] = [
  ...['HMAC_224', 'HMAC_256', 'HMAC_384', 'HMAC_512', 'SM2', 'ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'],
  ...['ECC_NIST_EDWARDS25519', 'ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'],
];

/** Algorithms of one use of a spec: those of the other uses are refused. */
export function algorithmsOf(
  spec: KeySpec,
  usage: KeyUsage,
): { encryption: readonly EncryptionAlgorithm[]; signing: readonly SigningAlgorithm[] } {
  const { encryptionAlgorithms, signingAlgorithms } = KEY_SPECS[spec];
  return {
    encryption: usage === 'ENCRYPT_DECRYPT' ? encryptionAlgorithms : [],
    signing: usage === 'SIGN_VERIFY' ? signingAlgorithms : [],
  };
}
