// Every decoder of bytes that others control: what it reads, where an input starts from, which errors it may throw.
import { CBOR_AND_DER_TARGETS } from './targets/core.mjs';

/**
 * @typedef {object} FuzzTarget
 * @property {() => Uint8Array[] | Promise<Uint8Array[]>} seeds Good inputs, the same at every call.
 * @property {(bytes: Uint8Array) => unknown} run Decodes; throws one of `errors`, or anything else when a law is broken.
 * @property {readonly Function[]} errors The classes that `run` may throw.
 * @property {readonly Uint8Array[]} tokens Pieces of the format, for splicing.
 * @property {number} [longest] Longest input, in bytes. Default 16 384.
 */

/** @type {Readonly<Record<string, FuzzTarget>>} */
export const TARGETS = { ...CBOR_AND_DER_TARGETS };
