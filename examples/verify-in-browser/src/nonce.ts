/** Bytes of the challenge that a visitor's browser makes for each question. */
export const NONCE_BYTES = 32;
