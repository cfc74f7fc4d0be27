/** Name of one check. */
export type CheckName =
  | 'envelope'
  | 'protected-header'
  | 'unprotected-header'
  | 'payload'
  | 'fields'
  | 'signature-form'
  | 'trust-anchor'
  | 'certificates'
  | 'certificate-names'
  | 'certificate-constraints'
  | 'key-usage'
  | 'critical-extensions'
  | 'validity'
  | 'certificate-signatures'
  | 'signature'
  | 'kind'
  | 'unknown-fields'
  | 'revocation'
  | 'debug-mode'
  | 'image'
  | 'pcrs'
  | 'locked-pcrs'
  | 'instance'
  | 'role'
  | 'region'
  | 'timestamp'
  | 'freshness'
  | 'public-key'
  | 'user-data'
  | 'binding'
  | 'purpose';

/** Runs the checks one after the other and remembers which were made. */
export interface Checklist {
  /** Runs a check whose result later checks need: a failure ends the verification. */
  require<T>(check: CheckName, body: () => T): T;
  /** Runs a check that later checks do not need. */
  judge(check: CheckName, body: () => void): void;
}

/** Throws at the first failure: the checklist of a verification. */
export class StrictChecklist implements Checklist {
  /** The checks made so far, all of them passed. */
  readonly passed: CheckName[] = [];

  require<T>(check: CheckName, body: () => T): T {
    const value = body();
    this.passed.push(check);
    return value;
  }

  judge(check: CheckName, body: () => void): void {
    this.require(check, body);
  }
}
