import { encodeHex } from './bytes.ts';
import type { DerElement, DerReader } from './der.ts';
import { readDerSequence } from './der.ts';
import * as DER_TAG from './der-tag.ts';

/** Short names of the attribute types that Nitro's certificates use (RFC 4514 §3). */
const ATTRIBUTE_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
};

/** One attribute of a Name, such as CN. */
export interface NameAttribute {
  /** Short name, or the object identifier where there is none. */
  readonly type: string;
  readonly value: string;
}

const TEXT_TAGS: readonly number[] = [DER_TAG.UTF8_STRING, DER_TAG.PRINTABLE_STRING, DER_TAG.IA5_STRING];

const UTF8 = new TextDecoder();

/** For showing, not for deciding: names are compared as bytes. */
function decodeAttributeValue({ tag, whole, content }: DerElement): string {
  return TEXT_TAGS.includes(tag) ? UTF8.decode(content) : `#${encodeHex(whole)}`;
}

/**
 * The attributes of an encoded Name (RFC 5280 §4.1.2.4), in their order. For showing: paths compare the encoded bytes.
 * @throws {DerError} when the bytes are not a Name.
 */
export function decodeDistinguishedName(encoded: Uint8Array): NameAttribute[] {
  const attributes: NameAttribute[] = [];
  const readAttribute = (fields: DerReader): void => {
    const identifier = fields.readObjectIdentifier();
    const value = decodeAttributeValue(fields.readAny());
    attributes.push({ type: ATTRIBUTE_NAMES[identifier] ?? identifier, value });
  };
  readDerSequence(encoded, (relativeNames) => {
    while (relativeNames.peekTag() !== undefined) {
      const set = relativeNames.enter(DER_TAG.SET);
      // SET SIZE (1..MAX): an empty one has no attribute to read.
      do set.readSequence(readAttribute);
      while (set.peekTag() !== undefined);
    }
  });
  return attributes;
}
