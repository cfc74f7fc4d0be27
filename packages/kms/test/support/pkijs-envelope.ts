import { Constructed, fromBER, Null, OctetString, Primitive, Sequence } from 'asn1js';
import type { EncryptedContentInfo } from 'pkijs';
import { AlgorithmIdentifier, ContentInfo, EnvelopedData, KeyTransRecipientInfo, RSAESOAEPParams } from 'pkijs';
import type { RecipientEnvelope } from '../../src/envelope/decode.ts';

function expectThat(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`the oracle expected ${what}`);
}

function octets(value: unknown, length: number, what: string): Uint8Array {
  expectThat(value instanceof OctetString && !value.idBlock.isConstructed, what);
  expectThat(value.getValue().byteLength === length, what);
  return new Uint8Array(value.getValue());
}

function isSha256({ algorithmId, algorithmParams }: AlgorithmIdentifier): boolean {
  return algorithmId === '2.16.840.1.101.3.4.2.1' && (algorithmParams === undefined || algorithmParams instanceof Null);
}

function expectOaep({ algorithmId, algorithmParams }: AlgorithmIdentifier): void {
  expectThat(algorithmId === '1.2.840.113549.1.1.7' && algorithmParams instanceof Sequence, 'OAEP');
  const parameters = new RSAESOAEPParams({ schema: algorithmParams });
  const { hashAlgorithm, maskGenAlgorithm, pSourceAlgorithm } = parameters;
  expectThat(isSha256(hashAlgorithm) && maskGenAlgorithm.algorithmId === '1.2.840.113549.1.1.8', 'SHA-256 and MGF1');
  expectThat(isSha256(new AlgorithmIdentifier({ schema: maskGenAlgorithm.algorithmParams })), 'MGF1 with SHA-256');
  if (!pSourceAlgorithm.isEqual(RSAESOAEPParams.defaultValues('pSourceAlgorithm')))
    octets(pSourceAlgorithm.algorithmParams, 0, 'no label');
}

function contentOf({ encryptedContent }: EncryptedContentInfo): Uint8Array {
  const content: unknown = encryptedContent;
  if (content instanceof Primitive) return new Uint8Array(content.valueBlock.valueHexView);
  expectThat(content instanceof OctetString || content instanceof Constructed, 'content');
  const value: unknown = content.valueBlock.value;
  if (!Array.isArray(value) || (content instanceof OctetString && !content.idBlock.isConstructed))
    return new Uint8Array(content instanceof OctetString ? content.getValue() : new ArrayBuffer(0));
  return Buffer.concat(
    value.map((chunk: unknown) => {
      expectThat(chunk instanceof OctetString && !chunk.idBlock.isConstructed, 'chunks');
      return new Uint8Array(chunk.getValue());
    }),
  );
}

/**
 * The envelope as pkijs reads it by its own schemas of CMS, held to the profile of KMS: slow, and written by others, so that
 * our reader can be measured by it.
 */
export function decodeByPkijs(encoded: Uint8Array): RecipientEnvelope {
  const { offset, result } = fromBER(encoded, { parseEmbedded: false });
  expectThat(offset === encoded.length, 'nothing behind the envelope');
  const { contentType, content } = new ContentInfo({ schema: result });
  expectThat(contentType === '1.2.840.113549.1.7.3', 'EnvelopedData');
  const enveloped = new EnvelopedData({ schema: content });
  expectThat(enveloped.version === 2 && enveloped.originatorInfo === undefined, 'version 2');
  expectThat(enveloped.unprotectedAttrs === undefined && enveloped.recipientInfos.length === 1, 'one recipient');
  const recipient: unknown = enveloped.recipientInfos[0]?.value;
  expectThat(recipient instanceof KeyTransRecipientInfo && recipient.version === 2, 'key transport');
  expectOaep(recipient.keyEncryptionAlgorithm);
  const info = enveloped.encryptedContentInfo;
  const { algorithmId, algorithmParams } = info.contentEncryptionAlgorithm;
  expectThat(info.contentType === '1.2.840.113549.1.7.1' && algorithmId === '2.16.840.1.101.3.4.1.42', 'AES-256-CBC');
  const ciphertext = contentOf(info);
  expectThat(ciphertext.length > 0 && ciphertext.length % 16 === 0, 'whole blocks');
  return {
    subjectKeyIdentifier: octets(recipient.rid, 32, 'subjectKeyIdentifier'),
    encryptedKey: octets(recipient.encryptedKey, 256, 'encryptedKey'),
    initializationVector: octets(algorithmParams, 16, 'the initialization vector'),
    ciphertext,
  };
}
