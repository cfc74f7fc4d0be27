import type { EifFinding } from './finding.ts';

/** The kernel keeps 2047 characters (COMMAND_LINE_SIZE) and drops the rest. */
const KERNEL_CMDLINE_BYTES = 2047;

interface ParameterRule {
  readonly pattern: RegExp;
  readonly why: string;
}

/** Parameters that open or weaken an enclave, by their documented meaning. Source: the kernel's kernel-parameters.txt. */
const DEBUG_PARAMETERS: readonly ParameterRule[] = [
  { pattern: /^(?:debug|ignore_loglevel|initcall_debug|keep_bootcon)$/, why: 'makes the kernel talk more' },
  { pattern: /^loglevel=(?:[7-9]|\d\d+)$/, why: 'makes the kernel talk more' },
  { pattern: /^(?:earlyprintk|earlycon)(?:=|$)/, why: 'writes to the console before anything else runs' },
  { pattern: /^printk\.devkmsg=on$/, why: "lets programs write into the kernel's log without limit" },
  { pattern: /^(?:init|rdinit)=.*\bsh$/, why: 'starts a shell instead of the program' },
  { pattern: /^(?:single|s|S|1|emergency|rescue)$/, why: 'starts a maintenance mode' },
  { pattern: /^systemd\.(?:debug[-_]shell|log_level=debug)/, why: 'opens a shell or tells more' },
  { pattern: /^(?:kgdboc|kgdbwait|kdb)(?:=|$)/, why: 'opens a kernel debugger' },
  { pattern: /^sysrq_always_enabled/, why: 'lets the console command the kernel' },
  {
    pattern: /^(?:nokaslr|nosmep|nosmap|nopti|pti=off|mitigations=off|spectre_v2=off)$/,
    why: 'turns a protection off',
  },
  { pattern: /^(?:module\.sig_enforce=0|lockdown=none|selinux=0|apparmor=0)$/, why: 'turns a protection off' },
  { pattern: /^norandmaps$/, why: 'turns a protection off' },
];

/** Judges the kernel's command line. */
export function lintCmdline(cmdline: string): EifFinding[] {
  const findings: EifFinding[] = [];
  for (const parameter of cmdline.split(/\s+/)) {
    const rule = DEBUG_PARAMETERS.find(({ pattern }) => pattern.test(parameter));
    if (rule !== undefined) {
      const message = `the command line has ${JSON.stringify(parameter)}, which ${rule.why}: leave it out`;
      findings.push({ rule: 'CMDLINE_DEBUG', severity: 'warning', message });
    }
    if (/^console=(?!null$|$)/.test(parameter)) {
      const message = `the command line has ${JSON.stringify(parameter)}: whatever is printed can be read in debug mode`;
      findings.push({ rule: 'CMDLINE_CONSOLE', severity: 'note', message });
    }
  }
  const length = new TextEncoder().encode(cmdline).length;
  if (length > KERNEL_CMDLINE_BYTES) {
    const message = `the command line has ${length} bytes, of which the kernel keeps ${KERNEL_CMDLINE_BYTES}: shorten it`;
    findings.push({ rule: 'CMDLINE_TOO_LONG', severity: 'warning', message });
  }
  return findings;
}
