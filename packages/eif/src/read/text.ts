import { fail } from '../error.ts';

// `ignoreBOM` keeps a leading U+FEFF, so that the text says what the bytes say.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of a section that has to be UTF-8. */
export function decodeText(bytes: Uint8Array, code: 'EIF_METADATA_TEXT' | 'EIF_CMDLINE_TEXT', section: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    return fail(code, `expected UTF-8 in the ${section} section`, { cause });
  }
}

/**
 * The kernel's command line. One NUL at its end is passed over, as some builders write it; one before would end the line
 * for the kernel and not for whoever reads it here, so that what follows could hide.
 * @throws {EifError} `EIF_CMDLINE_TEXT`.
 */
export function decodeCmdline(bytes: Uint8Array): string {
  const text = decodeText(bytes, 'EIF_CMDLINE_TEXT', 'cmdline').replace(/\0$/, '');
  const at = text.indexOf('\0');
  if (at >= 0) fail('EIF_CMDLINE_TEXT', `expected no NUL inside the command line, found one at character ${at}`);
  return text;
}
