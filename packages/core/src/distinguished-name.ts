import { encodeHex } from './bytes.ts';
import type { DerElement } from './der.ts';
import { DER_TAG, DerReader } from './der.ts';

/** Short names of the attribute types that Nitro's certificates use (RFC 4514 §3). */
const ATTRIBUTE_NAMES: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
]);

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
  const outer = new DerReader(encoded);
  const relativeNames = outer.enter(DER_TAG.SEQUENCE);
  outer.expectEnd();
  const attributes: NameAttribute[] = [];
  while (relativeNames.peekTag() !== undefined) {
    const set = relativeNames.enter(DER_TAG.SET);
    // SET SIZE (1..MAX): an empty one has no attribute to read.
    do {
      const attribute = set.enter(DER_TAG.SEQUENCE);
      const identifier = attribute.readObjectIdentifier();
      const value = decodeAttributeValue(attribute.readAny());
      attribute.expectEnd();
      attributes.push({ type: ATTRIBUTE_NAMES.get(identifier) ?? identifier, value });
    } while (set.peekTag() !== undefined);
  }
  return attributes;
}
