import { parseAttestationDocument } from '@nitro-enclaves/attestation';
import { decodeDistinguishedName, encodeHex, NitroEnclavesError, parseCertificate } from '@nitro-enclaves/core';
import type { CommandContext } from '../command-context.ts';
import { writeJson } from '../output.ts';
import type { DescribedCertificate } from './account.ts';
import { describeChain, describeFields, describePcrs } from './account.ts';
import { chainToJson, documentToJson } from './account-json.ts';
import { readDocument } from './document-source.ts';

/** Options of `attestation decode`. */
export interface DecodeFlags {
  readonly json?: true;
}

/** What a certificate says of itself; `null` when it is none. */
function describeCertificate(encoded: Uint8Array): DescribedCertificate | null {
  try {
    const { subject, issuer, serialNumber, notBefore, notAfter } = parseCertificate(encoded);
    const attributes = decodeDistinguishedName(subject).map(({ type, value }) => `${type}=${value}`);
    return { subject: attributes.join(', '), issuer: encodeHex(issuer), serialNumber, notBefore, notAfter };
  } catch (error) {
    if (error instanceof NitroEnclavesError) return null;
    throw error;
  }
}

/** `attestation decode`: shows what a document says. Verifies nothing, and says so first. */
export async function decodeCommand(source: string, flags: DecodeFlags, context: CommandContext): Promise<void> {
  const document = parseAttestationDocument(await readDocument(source, context));
  const certificates = [...document.caBundle, document.certificate].map(describeCertificate);
  if (flags.json) {
    const chain = certificates.map((certificate) => certificate && chainToJson([certificate])[0]);
    const account = { verdict: 'not verified', document: { ...documentToJson(document), chain } };
    return writeJson(context, account);
  }
  context.stdout.write('NOT VERIFIED: anybody may have made this up\n\n');
  context.stdout.write(`${describeFields(document)}${describePcrs(document)}${describeChain(certificates)}`);
}
