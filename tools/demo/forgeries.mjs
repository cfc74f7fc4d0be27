// Documents that a good verifier refuses, each wrong in one place, and genuine ones of AWS where the reader has some.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  customTrustAnchor,
  verifyArchivedAttestationDocument,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { FLAWS, issueAttestationDocument, issueFlawedDocument } from '@nitro-enclaves/emulator';

const SHOWN = [
  'root-foreign',
  'path-leaf-signed-by-stranger',
  'path-leaf-is-ca',
  'path-leaf-expired',
  'path-critical-extension',
  'signature-by-stranger',
  'payload-changed-after-signing',
  'payload-encoding-changed-after-signing',
  'unprotected-header-filled',
  'envelope-five-elements',
  'document-trailing-byte',
  'pcrs-both-kinds',
  'debug-mode',
];

/** Verifies a right document, a dozen wrong ones, and genuine ones. */
export async function forgeries(report, { pki, rootCertificate }) {
  const pcrs = { 0: 'a0'.repeat(48), 1: 'a1'.repeat(48), 2: 'a2'.repeat(48) };
  const request = { moduleId: 'i-1234567890abcdef0-enc1234567890abcdef', pcrs };
  const policy = {
    images: [{ pcrs }],
    freshness: { maxAge: 300_000, clockSkew: 1000 },
    [customTrustAnchor]: rootCertificate,
  };
  const { checks } = await verifyAttestationDocument(await issueAttestationDocument(pki, request), policy);
  report.expect(checks.length > 15, `a right document passes ${checks.length} checks`);
  for (const name of SHOWN) {
    const { breaks, code } = FLAWS[name];
    const document = await issueFlawedDocument(pki, request, name);
    await report.refusal(breaks, [code], () => verifyAttestationDocument(document, policy));
  }
  await genuineDocuments(report);
}

async function genuineDocuments(report) {
  const folder = process.env.NITRO_VECTORS && join(process.env.NITRO_VECTORS, 'attestation');
  if (!folder || !existsSync(join(folder, 'index.json'))) {
    report.line('no genuine documents: set NITRO_VECTORS to a folder of them');
    return;
  }
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  const policy = { [allowAnyImage]: true, [allowDebugMode]: true, [allowKmsRecipientDocument]: true };
  for (const { file, timestamp } of index) {
    const bytes = new Uint8Array(readFileSync(join(folder, file)));
    const { moduleId } = await verifyArchivedAttestationDocument(bytes, policy);
    report.detail(`${file}: ${moduleId}, ${new Date(timestamp).toISOString()}`);
  }
  report.expect(
    true,
    `${index.length} genuine documents of AWS, of ${index[0].timestampIso.slice(0, 4)} to ${index.at(-1).timestampIso.slice(0, 4)}, verify at their own time`,
  );
  const last = new Uint8Array(readFileSync(join(folder, index.at(-1).file)));
  await report.refusal('a genuine document of AWS, now', ['PATH_EXPIRED'], () =>
    verifyAttestationDocument(last, { ...policy, [allowAnyAge]: true }),
  );
}
