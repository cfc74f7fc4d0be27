import { concatBytes } from '@nitro-enclaves/core';
import type { CertificateAlteration, CertificateProfile } from '../pki/certificate.ts';
import { encodeDer } from '../pki/der-writer.ts';
import type { Level } from '../pki/schedule.ts';
import { Extension } from '../pki/x509.ts';
import { bytesOf, editSequence, replaceBytes } from './edit.ts';
import type { Flaw } from './flaw.ts';
import { flaw } from './flaw.ts';

/** Names of {@link CERTIFICATE_FLAWS}. */
export type CertificateFlawName =
  | 'certificate-cut'
  | 'certificate-trailing-byte'
  | 'certificate-extra-field'
  | 'certificate-version-1'
  | 'certificate-version-2'
  | 'certificate-algorithms-differ'
  | 'certificate-extension-twice'
  | 'certificate-signature-unused-bits'
  | 'certificate-signature-negative'
  | 'certificate-signature-too-long'
  | 'der-other-tag'
  | 'der-length-not-shortest'
  | 'der-length-indefinite'
  | 'der-extension-trailing-byte'
  | 'der-integer-padded'
  | 'der-serial-number-empty'
  | 'der-boolean-one'
  | 'der-default-written-out'
  | 'der-unused-bits-set'
  | 'der-object-identifier-padded'
  | 'der-month-13'
  | 'der-30-february'
  | 'der-generalized-time-before-2050'
  | 'der-time-without-seconds';

export const BASIC_CONSTRAINTS = '2.5.29.19';
export const KEY_USAGE = '2.5.29.15';

/** Alters the certificate of one level. */
export function atLevel(
  level: Level,
  alteration: CertificateAlteration,
): { certificates: { [At in Level]?: CertificateAlteration } } {
  return { certificates: { [level]: alteration } };
}

/** Changes the extensions of a certificate before it is encoded. */
export function changeExtensions(
  change: (extensions: readonly Extension[]) => readonly Extension[],
): CertificateAlteration {
  return { profile: (profile): CertificateProfile => ({ ...profile, extensions: change(profile.extensions) }) };
}

/** Gives an extension another value (DER), and criticality. */
export function setExtension(identifier: string, value: Uint8Array, critical = true): CertificateAlteration {
  return changeExtensions((extensions) =>
    extensions.map((extension) =>
      extension.type === identifier ? new Extension(identifier, critical, Uint8Array.from(value)) : extension,
    ),
  );
}

/** The date of notAfter: the second time in a certificate. */
function replaceNotAfter(tbs: Uint8Array, replace: (time: Uint8Array) => Uint8Array): Uint8Array {
  return editSequence(tbs, (content) => {
    const validity = content.findIndex(
      (byte, index) => byte === 0x30 && content[index + 1] === 0x1e && content[index + 2] === 0x17,
    );
    const [head, notBefore, notAfter, rest] = [
      content.subarray(0, validity),
      content.subarray(validity + 2, validity + 17),
      content.subarray(validity + 17, validity + 32),
      content.subarray(validity + 32),
    ];
    return concatBytes(head, encodeDer(0x30, notBefore, replace(notAfter)), rest);
  });
}

const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

function text(characters: string): Uint8Array {
  return new TextEncoder().encode(characters);
}

/** Puts `digits` in place of the month and day of a UTCTime. */
function withMonthAndDay(digits: string): CertificateAlteration {
  return {
    tbs: (tbs) => replaceNotAfter(tbs, (time) => concatBytes(time.subarray(0, 4), text(digits), time.subarray(8))),
  };
}

function inLeaf(breaks: string, code: Flaw['code'], alteration: CertificateAlteration): Flaw {
  return flaw(breaks, code, atLevel('leaf', alteration));
}

const V3 = bytesOf(0xa0, 0x03, 0x02, 0x01, 0x02);

/** What is wrong with the encoding of a certificate, signed as it is. */
export const CERTIFICATE_FLAWS: Readonly<Record<CertificateFlawName, Flaw>> = {
  'certificate-cut': inLeaf('The leaf certificate ends early', 'DER_TRUNCATED', {
    encoded: (certificate) => certificate.subarray(0, -1),
  }),
  'certificate-trailing-byte': inLeaf('A byte follows the leaf certificate', 'DER_TRAILING_BYTES', {
    encoded: (certificate) => concatBytes(certificate, bytesOf(0)),
  }),
  'certificate-extra-field': inLeaf('The leaf certificate has a field too many', 'DER_TRAILING_BYTES', {
    tbs: (tbs) => editSequence(tbs, (content) => concatBytes(content, bytesOf(0x05, 0x00))),
  }),
  'certificate-version-1': inLeaf('The leaf certificate states no version, so 1', 'CERTIFICATE_VERSION', {
    tbs: (tbs) => editSequence(tbs, (content) => content.subarray(V3.length)),
  }),
  'certificate-version-2': inLeaf('The leaf certificate is of version 2', 'CERTIFICATE_VERSION', {
    tbs: (tbs) => replaceBytes(tbs, { found: V3, replacement: bytesOf(0xa0, 0x03, 0x02, 0x01, 0x01) }),
  }),
  'certificate-algorithms-differ': inLeaf(
    'The unsigned algorithm of the leaf certificate is not the signed one',
    'CERTIFICATE_SIGNATURE_ALGORITHM_MISMATCH',
    {
      signatureAlgorithm: (encoded) => concatBytes(encoded.subarray(0, -1), bytesOf(0x02)),
    },
  ),
  'certificate-extension-twice': inLeaf(
    'The leaf certificate has an extension twice',
    'CERTIFICATE_DUPLICATE_EXTENSION',
    changeExtensions((extensions) => [...extensions, ...extensions.slice(-1)]),
  ),
  'certificate-signature-unused-bits': inLeaf(
    'The signature of the leaf certificate is not whole bytes',
    'CERTIFICATE_BIT_STRING_UNUSED_BITS',
    {
      signatureBitString: (encoded) => encodeDer(0x03, bytesOf(1), encoded.subarray(3), bytesOf(0)),
    },
  ),
  'certificate-signature-negative': inLeaf(
    'The signature of the leaf certificate has a negative number',
    'CERTIFICATE_SIGNATURE_FORM',
    {
      signatureValue: () => encodeDer(0x30, bytesOf(0x02, 0x01, 0x80), bytesOf(0x02, 0x01, 0x01)),
    },
  ),
  'certificate-signature-too-long': inLeaf(
    'The signature of the leaf certificate has a number of 49 bytes',
    'CERTIFICATE_SIGNATURE_FORM',
    {
      signatureValue: () => encodeDer(0x30, encodeDer(0x02, new Uint8Array(49).fill(1)), bytesOf(0x02, 0x01, 0x01)),
    },
  ),
  'der-other-tag': inLeaf(
    'The key usage is an OCTET STRING',
    'DER_TAG',
    setExtension(KEY_USAGE, bytesOf(0x04, 0x02, 0x06, 0xc0)),
  ),
  'der-length-not-shortest': inLeaf(
    'A length is longer than it needs',
    'DER_LENGTH',
    setExtension(KEY_USAGE, bytesOf(0x03, 0x81, 0x02, 0x06, 0xc0)),
  ),
  'der-length-indefinite': inLeaf(
    'A length is indefinite',
    'DER_LENGTH',
    setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x80, 0x00, 0x00)),
  ),
  'der-extension-trailing-byte': inLeaf(
    'A byte follows the value of an extension',
    'DER_TRAILING_BYTES',
    setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x00, 0x00)),
  ),
  'der-integer-padded': flaw(
    'The path length of the zonal authority has a padded integer',
    'DER_INTEGER',
    atLevel('zonal', setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x07, 0x01, 0x01, 0xff, 0x02, 0x02, 0x00, 0x01))),
  ),
  'der-serial-number-empty': inLeaf('The serial number has no content', 'DER_INTEGER', {
    tbs: (tbs) =>
      editSequence(tbs, (content) => {
        const length = content[V3.length + 1] ?? 0;
        return concatBytes(V3, bytesOf(0x02, 0x00), content.subarray(V3.length + 2 + length));
      }),
  }),
  'der-boolean-one': flaw(
    'The CA flag of the instance authority is 1 instead of 255',
    'DER_BOOLEAN',
    atLevel('instance', setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x06, 0x01, 0x01, 0x01, 0x02, 0x01, 0x00))),
  ),
  'der-default-written-out': inLeaf(
    'The CA flag of the leaf is written out although it is the default',
    'DER_DEFAULT_ENCODED',
    setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x03, 0x01, 0x01, 0x00)),
  ),
  'der-unused-bits-set': inLeaf(
    'Unused bits of the key usage are set',
    'DER_BIT_STRING',
    setExtension(KEY_USAGE, bytesOf(0x03, 0x02, 0x06, 0xc1)),
  ),
  'der-object-identifier-padded': flaw(
    'The identifier of an extension of the instance authority has a padded arc',
    'DER_OBJECT_IDENTIFIER',
    atLevel('instance', {
      tbs: (tbs) =>
        replaceBytes(tbs, {
          found: bytesOf(0x06, 0x03, 0x55, 0x1d, 0x0e),
          replacement: bytesOf(0x06, 0x03, 0x55, 0x80, 0x0e),
        }),
    }),
  ),
  'der-month-13': inLeaf('The leaf ends in the 13th month', 'DER_TIME', withMonthAndDay('1301')),
  'der-30-february': inLeaf('The leaf ends on 30 February', 'DER_TIME', withMonthAndDay('0230')),
  'der-generalized-time-before-2050': inLeaf('A time before 2050 is a GeneralizedTime', 'DER_TIME', {
    tbs: (tbs) => replaceNotAfter(tbs, (time) => encodeDer(GENERALIZED_TIME, text('20'), time.subarray(2))),
  }),
  'der-time-without-seconds': inLeaf('A time has no seconds', 'DER_TIME', {
    tbs: (tbs) => replaceNotAfter(tbs, (time) => encodeDer(UTC_TIME, time.subarray(2, 12), text('Z'))),
  }),
};
