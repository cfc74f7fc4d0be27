// Every decoder of bytes that others control, by name, and the module that knows it. A module is loaded only when one of
// its targets runs.

/**
 * @typedef {object} FuzzTarget
 * @property {() => Uint8Array[] | Promise<Uint8Array[]>} seeds Good inputs, the same at every call.
 * @property {(bytes: Uint8Array) => unknown} run Decodes; throws one of `errors`, or anything else when a law is broken.
 *   A text that it returns names the outcome.
 * @property {readonly Function[]} errors The classes that `run` may throw.
 * @property {readonly Uint8Array[]} tokens Pieces of the format, for splicing.
 * @property {number} [longest] Longest input, in bytes. Default 16 384.
 */

const MODULES = {
  core: ['cbor', 'cose', 'der', 'der-scalars', 'certificate'],
  attestation: ['attestation-parse', 'attestation-read', 'attestation-verify'],
  images: ['eif', 'eif-behind-crc', 'eif-signature', 'cpio', 'tar', 'image-config'],
  enclave: ['nsm-response', 'kms-envelope', 'message-end'],
  parent: ['client-hello', 'connect-request', 'vsock-preface', 'telemetry', 'exit-status'],
};

/** Names of all targets. */
export const TARGET_NAMES = Object.values(MODULES).flat();

/**
 * The target called `name`.
 * @param {string} name
 * @returns {Promise<FuzzTarget>}
 */
export async function loadTarget(name) {
  const [module] = Object.entries(MODULES).find(([, names]) => names.includes(name)) ?? [];
  const { TARGETS } = await import(`./targets/${module}.mjs`);
  return TARGETS[name];
}
