import { EmulatorError } from '../error.ts';
import type { AttestationDocumentRequest } from '../pki/document.ts';
import { issueAttestationDocument } from '../pki/document.ts';
import type { NitroPki } from '../pki/nitro-pki.ts';
import { createNitroPki } from '../pki/nitro-pki.ts';
import type { CborFlawName } from './cbor-flaws.ts';
import { CBOR_FLAWS } from './cbor-flaws.ts';
import type { CertificateFlawName } from './certificate-flaws.ts';
import { CERTIFICATE_FLAWS } from './certificate-flaws.ts';
import type { EnvelopeFlawName } from './envelope-flaws.ts';
import { ENVELOPE_FLAWS } from './envelope-flaws.ts';
import type { FieldFlawName } from './field-flaws.ts';
import { FIELD_FLAWS } from './field-flaws.ts';
import type { Flaw, FlawedIssue } from './flaw.ts';
import type { PathFlawName } from './path-flaws.ts';
import { PATH_FLAWS } from './path-flaws.ts';
import type { PolicyFlawName } from './policy-flaws.ts';
import { POLICY_FLAWS } from './policy-flaws.ts';
import type { SignatureFlawName } from './signature-flaws.ts';
import { SIGNATURE_FLAWS } from './signature-flaws.ts';

/** Name of a flaw. */
export type FlawName =
  | CborFlawName
  | CertificateFlawName
  | EnvelopeFlawName
  | FieldFlawName
  | PathFlawName
  | PolicyFlawName
  | SignatureFlawName;

/** Every way in which {@link issueFlawedDocument} can make a document wrong. */
export const FLAWS: Readonly<Record<FlawName, Flaw>> = {
  ...ENVELOPE_FLAWS,
  ...CBOR_FLAWS,
  ...FIELD_FLAWS,
  ...CERTIFICATE_FLAWS,
  ...PATH_FLAWS,
  ...SIGNATURE_FLAWS,
  ...POLICY_FLAWS,
};

async function choosePki(pki: NitroPki, { foreignSeed, region }: FlawedIssue): Promise<NitroPki> {
  if (region !== undefined) return pki.inRegion(region);
  return foreignSeed === undefined ? pki : createNitroPki({ seed: foreignSeed, region: pki.region, clock: pki.clock });
}

/**
 * Issues a document that would be right but for one flaw: the vectors of a verifier, which must refuse each with the flaw's
 * code and no other. The same PKI seed, request and flaw give the same bytes.
 * @throws {EmulatorError} `EMULATOR_FLAW_UNKNOWN`; `EMULATOR_FLAW_IMPOSSIBLE` when the request has nothing to spoil.
 */
export async function issueFlawedDocument(
  pki: NitroPki,
  request: AttestationDocumentRequest,
  name: FlawName,
): Promise<Uint8Array> {
  if (!Object.hasOwn(FLAWS, name)) {
    throw new EmulatorError('EMULATOR_FLAW_UNKNOWN', `expected the name of a flaw, found ${JSON.stringify(name)}`);
  }
  const { issue } = FLAWS[name];
  const { request: change = (same: AttestationDocumentRequest) => same, alterations = {} } = issue;
  return issueAttestationDocument(await choosePki(pki, issue), change(request), alterations);
}
