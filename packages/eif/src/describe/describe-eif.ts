import { EifError } from '../error.ts';
import type { EifMetadata } from '../read/metadata.ts';
import type { Eif, EifPcrs } from '../read/read-eif.ts';
import { decodeWalkedEif } from '../read/read-eif.ts';
import type { WalkOptions } from '../read/walk.ts';
import { walkEif } from '../read/walk.ts';
import type { VerifySignatureOptions } from '../sign/verify-signature.ts';
import { verifyEifSignature } from '../sign/verify-signature.ts';
import type { OpenSource } from '../source.ts';
import type { SigningCertificateText } from './certificate-text.ts';
import { formatSigningCertificate } from './certificate-text.ts';

/** The measurements as nitro-cli prints them. */
export interface Measurements extends EifPcrs {
  readonly HashAlgorithm: 'Sha384 { ... }';
}

/** What `nitro-cli build-enclave` and `sign-eif` print. */
export interface BuildEnclaveOutput {
  readonly Measurements: Measurements;
}

/** What `nitro-cli describe-eif` prints. */
export interface DescribeEifOutput extends BuildEnclaveOutput {
  readonly EifVersion: number;
  readonly IsSigned: boolean;
  readonly SigningCertificate?: SigningCertificateText;
  readonly CheckCRC: boolean;
  readonly SignatureCheck?: boolean;
  readonly ImageName?: string;
  readonly ImageVersion?: string;
  readonly Metadata?: Readonly<Record<string, unknown>>;
}

/** PCRs in the shape of `nitro-cli build-enclave`. */
export function toBuildEnclaveOutput(pcrs: EifPcrs): BuildEnclaveOutput {
  const { PCR0, PCR1, PCR2, PCR8 } = pcrs;
  return {
    Measurements: { HashAlgorithm: 'Sha384 { ... }', PCR0, PCR1, PCR2, ...(PCR8 === undefined ? {} : { PCR8 }) },
  };
}

/** nitro-cli keeps JSON objects of others sorted by their keys. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sortKeys(item)]));
}

function formatMetadata(metadata: EifMetadata): Record<string, unknown> {
  const custom = sortKeys(metadata.customMetadata);
  return {
    BuildTime: metadata.buildTime,
    BuildTool: metadata.buildTool,
    BuildToolVersion: metadata.buildToolVersion,
    OperatingSystem: metadata.operatingSystem,
    KernelVersion: metadata.kernelVersion,
    DockerInfo: sortKeys(metadata.dockerInfo),
    // nitro-cli puts the user's own fields beside the builder's.
    ...(custom !== null && typeof custom === 'object' && !Array.isArray(custom) ? custom : {}),
  };
}

async function signatureHolds(eif: Eif, options: VerifySignatureOptions): Promise<boolean> {
  try {
    await verifyEifSignature(eif, options);
    return true;
  } catch (error) {
    if (!(error instanceof EifError)) throw error;
    // describe-eif judges the signature, not the certificate's dates, which run-enclave checks.
    return error.code === 'EIF_CERTIFICATE_EXPIRED' || error.code === 'EIF_CERTIFICATE_NOT_YET_VALID';
  }
}

/**
 * Describes an image in the exact shape of `nitro-cli describe-eif`. As there, a wrong CRC and a signature that does not
 * hold are told, not thrown; everything else that is wrong with the image is thrown.
 */
export async function describeEifFrom(source: OpenSource, options: WalkOptions): Promise<DescribeEifOutput> {
  const walked = await walkEif(source, options);
  const eif = decodeWalkedEif(walked, options);
  const { metadata, signature } = eif;
  return {
    EifVersion: eif.header.version,
    ...toBuildEnclaveOutput(eif.pcrs),
    IsSigned: signature !== undefined,
    ...(signature === undefined ? {} : { SigningCertificate: formatSigningCertificate(signature.certificate) }),
    CheckCRC: walked.crc32 === eif.header.crc32,
    ...(signature === undefined ? {} : { SignatureCheck: await signatureHolds(eif, {}) }),
    ...(metadata === undefined
      ? {}
      : { ImageName: metadata.imageName, ImageVersion: metadata.imageVersion, Metadata: formatMetadata(metadata) }),
  };
}
