import type { NsmFault } from '../faults.ts';
import type { AttestationDocumentRequest } from '../pki/document.ts';
import { createFields, issueAttestationDocument } from '../pki/document.ts';
import type { NitroPki } from '../pki/nitro-pki.ts';
import { createNitroPki } from '../pki/nitro-pki.ts';
import { measureText } from './pcr-bank.ts';
import { createUnsignedDocument } from './unsigned-document.ts';

const OTHER_INSTANCE = 'i-0ff0ff0ff0ff0ff0f';

/** The document of an enclave of somebody else's: another image on another instance. Everything asked for is in it. */
function foreignRequest(request: AttestationDocumentRequest): AttestationDocumentRequest {
  const image = [0, 1, 2].map((index) => [index, measureText(`another image's PCR${index}`)]);
  return {
    ...request,
    moduleId: `${OTHER_INSTANCE}-enc0ff0ff0ff0ff0ff0`,
    pcrs: { ...request.pcrs, ...Object.fromEntries(image), 4: measureText(OTHER_INSTANCE) },
  };
}

/** A document with a fault of the module or of whoever stands before it. `timestamp` of the request must be given. */
export async function issueFaultyDocument(
  pki: NitroPki,
  request: AttestationDocumentRequest,
  fault: NsmFault,
): Promise<Uint8Array> {
  const timestamp = request.timestamp ?? pki.clock();
  switch (fault.kind) {
    case 'stale-document':
      return issueAttestationDocument(pki, { ...request, timestamp: timestamp - fault.ageMs });
    case 'foreign-document':
      return issueAttestationDocument(pki, foreignRequest(request));
    case 'foreign-root':
      return issueAttestationDocument(
        await createNitroPki({ seed: 'a PKI that nobody trusts', region: pki.region, clock: pki.clock }),
        request,
      );
    case 'unsigned-document':
      return createUnsignedDocument(createFields(request, { timestamp, certificate: new Uint8Array(0), caBundle: [] }));
    case 'slow':
    case 'error':
      return issueAttestationDocument(pki, request);
  }
}
