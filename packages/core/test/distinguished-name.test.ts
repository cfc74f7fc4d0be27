import { DerError, decodeDistinguishedName, decodeHex } from '@nitro-enclaves/core';
import { describe, expect, it } from 'vitest';
import * as x509 from './x509.ts';

const decode = (text: string) => decodeDistinguishedName(new Uint8Array(new x509.Name(text).toArrayBuffer()));

describe('a distinguished name', () => {
  it('shows its attributes in their order, under their short names', () => {
    expect(decode('C=US, ST=Washington, L=Seattle, O=Amazon, OU=AWS, CN=aws.nitro-enclaves')).toEqual([
      { type: 'C', value: 'US' },
      { type: 'ST', value: 'Washington' },
      { type: 'L', value: 'Seattle' },
      { type: 'O', value: 'Amazon' },
      { type: 'OU', value: 'AWS' },
      { type: 'CN', value: 'aws.nitro-enclaves' },
    ]);
  });

  it('may be empty', () => expect(decodeDistinguishedName(decodeHex('3000'))).toEqual([]));

  it('shows an unknown attribute by its identifier, and an unknown kind of text as its bytes', () => {
    expect(decodeDistinguishedName(decodeHex('300d310b3009060355042d03020001'))).toEqual([
      { type: '2.5.4.45', value: '#03020001' },
    ]);
  });

  it('shows every attribute of a set of several', () => {
    const name = decodeHex('30183116300a06035504030c03612b62300806035504060c015a');
    expect(decodeDistinguishedName(name)).toEqual([
      { type: 'CN', value: 'a+b' },
      { type: 'C', value: 'Z' },
    ]);
  });

  it('is refused with anything around or inside that is no name', () => {
    for (const hex of ['', '30', '30000500', '300005', '3100', '30023100', '300431023005', '3009310730050603550403']) {
      expect(() => decodeDistinguishedName(decodeHex(hex))).toThrow(DerError);
    }
  });
});
