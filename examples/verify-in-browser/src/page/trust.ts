/** Whom a page trusts: built into it, because whoever serves it later is not asked. */
export interface PageTrust {
  /** Releases of the enclave's image that are trusted. PCR0, PCR1 and PCR2 in hexadecimal. */
  readonly images: readonly {
    readonly name: string;
    readonly pcrs: { readonly 0: string; readonly 1: string; readonly 2: string };
  }[];
  /** Root certificate of an emulator, hexadecimal DER. Without it only AWS's root is trusted. */
  readonly emulatorRoot?: string;
  /** Where documents come from: `/attestation`, or an absolute URL when the page stands on another host. */
  readonly endpoint: string;
}
