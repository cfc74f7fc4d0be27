import {
  formatCid,
  formatVsockAddress,
  VMADDR_CID_ANY,
  VMADDR_CID_HOST,
  VMADDR_CID_HYPERVISOR,
  VMADDR_CID_LOCAL,
  VMADDR_PORT_ANY,
} from '@nitro-enclaves/vsock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameFamily, vsockFamily } from '../src/socket-family.ts';
import { decodePreface, encodePreface } from '../src/unix-preface.ts';

const uint32 = () => fc.integer({ min: 0, max: 0xffff_ffff });

describe('an address, for people', () => {
  it.each([
    [16, 'vm(16)'],
    [3, 'vm(3)'],
    [VMADDR_CID_HOST, 'host(2)'],
    [VMADDR_CID_LOCAL, 'local(1)'],
    [VMADDR_CID_HYPERVISOR, 'hypervisor(0)'],
    [VMADDR_CID_ANY, 'any'],
  ])('CID %s is %s', (cid, text) => {
    expect(formatCid(cid)).toBe(text);
    expect(formatVsockAddress({ cid, port: 5000 })).toBe(`${text}:5000`);
  });
});

describe('struct sockaddr_vm', () => {
  it('is laid out as linux/vm_sockets.h says', () => {
    const name = vsockFamily.encodeName({ cid: 0x0403_0201, port: 0x0807_0605 });
    expect(Buffer.from(name).toString('hex')).toBe('28000000050607080102030400000000');
    expect(nameFamily(name)).toBe(40);
  });

  it('asks for any port by VMADDR_PORT_ANY, which port 0 is not', () => {
    expect(vsockFamily.encodeName({ cid: 1, port: 0 })).toEqual(
      vsockFamily.encodeName({ cid: 1, port: VMADDR_PORT_ANY }),
    );
  });

  it('is read back as it was written, for all addresses', () => {
    const address = fc.record({ cid: uint32(), port: fc.integer({ min: 1, max: 0xffff_ffff }) });
    fc.assert(
      fc.property(address, (it) => void expect(vsockFamily.decodeName(vsockFamily.encodeName(it))).toEqual(it)),
    );
  });

  it('is refused when short or of another family', () => {
    const name = vsockFamily.encodeName({ cid: 1, port: 1 });
    expect(() => vsockFamily.decodeName(name.subarray(0, 15))).toThrow(TypeError);
    expect(() => vsockFamily.decodeName(Uint8Array.from([1, 0, ...name.subarray(2)]))).toThrow(TypeError);
  });
});

describe('the preface of a connection over a Unix socket', () => {
  it('is read back as it was written', () => {
    const preface = fc.record({ remote: fc.record({ cid: uint32(), port: uint32() }), dialledCid: uint32() });
    fc.assert(fc.property(preface, (it) => void expect(decodePreface(encodePreface(it))).toEqual(it)));
  });

  it('is not read out of anything else', () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).filter((it) => Buffer.from(it.subarray(0, 4)).toString() !== 'VSCK');
    fc.assert(fc.property(bytes, (it) => void expect(decodePreface(Buffer.from(it))).toBeUndefined()));
    expect(decodePreface(Buffer.from('VSCK too short'))).toBeUndefined();
    expect(decodePreface(Buffer.from('VSCK that is too long'))).toBeUndefined();
  });
});
