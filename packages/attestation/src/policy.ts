import type { DocumentKind } from './document.ts';

/**
 * Accepts documents of any image. They still have to be genuine and fresh; who runs what in there is unknown.
 * @deprecated Loosens the policy: struck through so that it is seen.
 */
export const allowAnyImage: unique symbol = Symbol('allowAnyImage');
/**
 * Accepts documents of any age for as long as their leaf certificate is valid (3 hours): a captured one can be replayed.
 * @deprecated Loosens the policy: struck through so that it is seen.
 */
export const allowAnyAge: unique symbol = Symbol('allowAnyAge');
/**
 * Accepts enclaves in debug mode in place of an allowed image: their console and memory are open to the parent.
 * @deprecated Loosens the policy: struck through so that it is seen.
 */
export const allowDebugMode: unique symbol = Symbol('allowDebugMode');
/**
 * Accepts documents made for KMS (an RSA key and nothing else) as documents for the application.
 * @deprecated Loosens the policy: struck through so that it is seen.
 */
export const allowKmsRecipientDocument: unique symbol = Symbol('allowKmsRecipientDocument');
/**
 * Trusts this root certificate (DER) instead of AWS's: for the emulator, and for nothing that matters.
 * @deprecated Loosens the policy: struck through so that it is seen.
 */
export const customTrustAnchor: unique symbol = Symbol('customTrustAnchor');

/** A PCR value: 48 bytes, or their hexadecimal text in either case. */
export type PcrValue = string | Uint8Array;

/** One release of an enclave image, matched whole: the PCRs of two releases are never mixed. */
export interface EnclaveImage {
  /** Shown in results, such as a version. Not compared. */
  readonly name?: string;
  /** All of PCR0 (image), PCR1 (kernel and boot), PCR2 (application), and any others that are the release's own (PCR8). */
  readonly pcrs: {
    readonly 0: PcrValue;
    readonly 1: PcrValue;
    readonly 2: PcrValue;
    readonly [index: number]: PcrValue;
  };
}

/** One release of an attestable AMI, matched whole. Source of the values: `nitro-tpm-pcr-compute` of AWS's NitroTPM tools. */
export interface NitroTpmImage {
  /** Shown in results. Not compared. */
  readonly name?: string;
  /** At least PCR4 (boot manager); PCR7 (secure boot) is usual, and PCR12, zero unless the command line was changed. */
  readonly pcrs: { readonly 4: PcrValue; readonly [index: number]: PcrValue };
}

/** A challenge that this verifier chose: 16 to 1024 random bytes, used once. Stops replay. */
export interface NonceFreshness {
  readonly nonce: Uint8Array;
  /**
   * How far ahead of this machine's clock a document may be, in ms. Default 60 000. Certificates are held to the clock
   * itself: a new leaf is valid from three seconds before its first document.
   */
  readonly clockSkew?: number;
}

/** A window of time, for where no challenge can be sent. A captured document can be replayed within it. */
export interface AgeFreshness {
  /** Oldest document accepted, in ms. */
  readonly maxAge: number;
  /** How far ahead of this machine's clock a document may be, in ms; see {@link NonceFreshness.clockSkew}. */
  readonly clockSkew: number;
}

/** What a document must be bound to: `user_data` must be {@link calculateBinding} of these. */
export interface Binding {
  /** What the document is for, such as `tls-server-key`: a document for one protocol cannot serve another. */
  readonly purpose: string;
  /** The bytes that the enclave vouches for, such as its TLS key or the hash of a result. */
  readonly content: Uint8Array;
}

/** A certificate on the deny-list. */
export interface RevokedCertificate {
  /** The issuer's Name, DER in hexadecimal. */
  readonly issuer: string;
  /** The serial number, hexadecimal, the zero byte that DER puts before a high bit included or not. */
  readonly serialNumber: string;
}

/** Requirements beyond image and freshness, all optional, all to hold. */
export interface CommonRequirements {
  /** Shown in results, to tell by which policy a document was accepted. */
  readonly id?: string;
  /** Values of further PCRs, whatever the image: PCR3 (role), PCR4 (instance), PCR8 (signer), PCR16 to 31 (the application's own). */
  readonly pcrs?: Readonly<Record<number, PcrValue>>;
  /** ARN of the parent instance's IAM role: PCR3 must be its measurement, as it is of enclaves only. */
  readonly roleArn?: string;
  /** Id of the parent instance: PCR4 must be its measurement, as it is of enclaves only. */
  readonly instanceId?: string;
  /** AWS regions whose certificate authority may have signed. */
  readonly regions?: readonly string[];
  /** All 32 PCRs must be listed, so locked: nothing can be extended any more. */
  readonly allPcrsLocked?: boolean;
  /** The `public_key` must be these bytes. */
  readonly publicKey?: Uint8Array;
  /** The `user_data` must be these bytes. */
  readonly userData?: Uint8Array;
  /** The `user_data` must bind the document to this. */
  readonly binding?: Binding;
  /** Refuse documents with fields that this version does not know. */
  readonly refuseUnknownFields?: boolean;
  /** Certificates that are trusted no more. AWS publishes no list that its own text tells to use. */
  readonly revoked?: readonly RevokedCertificate[];
  /** @deprecated Greppable opt-in: see {@link allowKmsRecipientDocument}. */
  readonly [allowKmsRecipientDocument]?: true;
  /** @deprecated Greppable opt-in: see {@link customTrustAnchor}. */
  readonly [customTrustAnchor]?: Uint8Array;
}

/** The image rule for enclaves: the images that are allowed, or an explicit "any". */
type EnclaveImageRule = {
  readonly kind?: 'enclave';
  /** @deprecated Greppable opt-in: see {@link allowDebugMode}. */
  readonly [allowDebugMode]?: true;
} & ImageRule<EnclaveImage>;

/** The image rule for instances with NitroTPM. */
type NitroTpmImageRule = { readonly kind: 'nitrotpm' } & ImageRule<NitroTpmImage>;

type ImageRule<Image> =
  | { readonly images: readonly Image[] }
  | {
      /** @deprecated Greppable opt-in: see {@link allowAnyImage}. */
      readonly [allowAnyImage]: true;
    };

/** The freshness rule: a challenge, a window, or an explicit "any". */
export type FreshnessRule =
  | { readonly freshness: NonceFreshness | AgeFreshness }
  | {
      /** @deprecated Greppable opt-in: see {@link allowAnyAge}. */
      readonly [allowAnyAge]: true;
    };

/** What an archived document must be: everything but its age. */
export type ArchivePolicy = CommonRequirements & (EnclaveImageRule | NitroTpmImageRule);

/** What a document must be. Names an image and a freshness rule; leaving either out is an error, never a success. */
export type AttestationPolicy = ArchivePolicy & FreshnessRule;

/** A {@link AttestationPolicy} whose nonce comes with each call. */
export type VerifierPolicy = ArchivePolicy & (FreshnessRule | { readonly freshness: 'nonce' });

/** The kind that a policy without `kind` states. */
export const DEFAULT_KIND: DocumentKind = 'enclave';
