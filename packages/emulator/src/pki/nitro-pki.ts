import { EmulatorError } from '../error.ts';
import { Seed } from '../seed.ts';
import { Authority } from './authority.ts';
import type { CertificateAlteration } from './certificate.ts';
import { issueCertificate } from './certificate.ts';
import { P384KeyPair } from './p384-key.ts';
import type { SubjectNames } from './profile.ts';
import { PROFILES } from './profile.ts';
import type { Level, RenewedLevel, Validity } from './schedule.ts';
import { isLeafUsable, leafValidity, validityAt } from './schedule.ts';

/** Options of {@link createNitroPki}. */
export interface NitroPkiOptions {
  /** Determines every key and serial number; the same seed gives the same root. Default: random. */
  seed?: string | Uint8Array | undefined;
  /** AWS region in the names of the certificates. Default `us-east-1`. */
  region?: string | undefined;
  /** The clock, in ms since the epoch. Default: this machine's. */
  clock?: (() => number) | undefined;
}

/** Changes to the certificates of one chain, by level. */
export type ChainAlterations = { readonly [At in Level]?: CertificateAlteration };

/** The certificates that go into a document, and the key that signs it. */
export interface NitroChain {
  /** Root first, instance last, DER. */
  readonly caBundle: readonly Uint8Array[];
  /** The leaf, DER. */
  readonly certificate: Uint8Array;
  readonly leafKey: P384KeyPair;
  readonly leafValidity: Validity;
}

/** Module ids as Nitro makes them: instance id, `enc` or `tpm`, 16 hexadecimal digits. */
const MODULE_ID = /^(i-[0-9a-f]+)-(?:enc|tpm)[0-9a-f]+$/;

/** The instance in a module id. */
function expectInstanceId(moduleId: string): string {
  const instanceId = moduleId.match(MODULE_ID)?.[1];
  if (instanceId !== undefined) return instanceId;
  throw new EmulatorError(
    'EMULATOR_MODULE_ID',
    `expected a module id such as i-1234567890abcdef0-enc0123456789abcdef, found ${JSON.stringify(moduleId)}`,
  );
}

/**
 * A certificate authority of five levels with AWS's Nitro profile: root (30 years), regional (20 days), zonal (5 days),
 * instance (24 hours), leaf (3 hours), all P-384 and SHA-384, each renewed by the given clock as AWS renews its own. Its
 * root is nobody's trust anchor: a verifier has to be given it by name.
 */
export class NitroPki {
  /** The root certificate, DER: the custom trust anchor of verifiers. */
  readonly rootCertificate: Uint8Array;
  readonly region: string;
  /** The clock of everything that this PKI stands for, in ms since the epoch. */
  readonly clock: () => number;
  readonly #root: NitroRoot;
  readonly #seed: Seed;
  readonly #authorities = new Map<string, Authority>();
  readonly #leaves = new Map<string, NitroLeaf>();

  private constructor(root: NitroRoot, options: NitroPkiOptions) {
    this.#root = root;
    this.rootCertificate = root.certificate;
    this.region = options.region ?? 'us-east-1';
    // Of each region its own: no two certificates of one issuer have the same serial number, no two authorities one key.
    this.#seed = root.seed.child(`region ${this.region}`);
    const { clock } = options;
    // Documents and certificates hold whole ms; a clock may count parts of one.
    this.clock = clock === undefined ? Date.now : () => Math.floor(clock());
  }

  static async create(options: NitroPkiOptions): Promise<NitroPki> {
    const seed = Seed.from(options.seed).child('pki');
    const authority = Authority.root(seed, { region: '', instanceId: '', moduleId: '' });
    return new NitroPki({ authority, certificate: await authority.certificate(), seed }, options);
  }

  /** The same root's authorities of another region, by the same clock. */
  inRegion(region: string): NitroPki {
    return new NitroPki(this.#root, { region, clock: this.clock });
  }

  /**
   * The chain of `moduleId` at `time` (default: now by the clock). The leaf is kept and used again until shortly before it
   * ends, as the Nitro hypervisor does. A chain with alterations is made afresh and not kept.
   * @throws {EmulatorError} `EMULATOR_MODULE_ID`
   */
  chain(moduleId: string, options: { time?: number; alterations?: ChainAlterations } = {}): Promise<NitroChain> {
    const { time = this.clock(), alterations } = options;
    const names = { region: this.region, instanceId: expectInstanceId(moduleId), moduleId };
    const leaf = this.#leaves.get(moduleId);
    const validity = leaf && isLeafUsable(leaf.validity, time) ? leaf.validity : leafValidity(time);
    if (alterations !== undefined) return this.#issueChain(names, validity, alterations);
    if (leaf?.validity === validity) return leaf.chain;
    const chain = this.#issueChain(names, validity, {});
    this.#leaves.set(moduleId, { validity, chain });
    return chain;
  }

  async #issueChain(names: SubjectNames, validity: Validity, alterations: ChainAlterations): Promise<NitroChain> {
    const [regional, zonal, instance] = this.#authoritiesAt(validity.notBefore, names);
    const seed = this.#seed.child(`leaf ${names.moduleId} ${validity.notBefore}`);
    const leafKey = P384KeyPair.derive(seed, 'leaf');
    const profile = PROFILES.leaf({ key: leafKey, validity, issuer: instance, seed }, names);
    const [certificate, ...caBundle] = await Promise.all([
      issueCertificate(profile, instance.key, alterations.leaf),
      this.#root.authority.certificate(alterations.root),
      regional.certificate(alterations.regional),
      zonal.certificate(alterations.zonal),
      instance.certificate(alterations.instance),
    ]);
    return { caBundle, certificate, leafKey, leafValidity: validity };
  }

  /** Each authority is the one that was in use when the one below it was issued. */
  #authoritiesAt(time: number, names: SubjectNames): [regional: Authority, zonal: Authority, instance: Authority] {
    const holder = `instance ${names.instanceId}`;
    const instance = validityAt('instance', time, this.#phase(holder));
    const zonal = validityAt('zonal', instance.notBefore, this.#phase('zonal'));
    const regional = validityAt('regional', zonal.notBefore, this.#phase('regional'));
    const first = this.#authority(this.#root.authority, {
      level: 'regional',
      holder: 'regional',
      validity: regional,
      names,
    });
    const second = this.#authority(first, { level: 'zonal', holder: 'zonal', validity: zonal, names });
    return [first, second, this.#authority(second, { level: 'instance', holder, validity: instance, names })];
  }

  /** Moves the renewals of one holder, so that not everything is renewed at midnight. */
  #phase(holder: string): number {
    return new DataView(this.#seed.derive(`phase ${holder}`, 4).buffer).getUint32(0);
  }

  #authority(
    issuer: Authority,
    {
      level,
      holder,
      validity,
      names,
    }: { level: RenewedLevel; holder: string; validity: Validity; names: SubjectNames },
  ): Authority {
    const known = this.#authorities.get(holder);
    if (known?.validity.notBefore === validity.notBefore) return known;
    const seed = this.#seed.child(`${holder} ${validity.notBefore}`);
    const authority = Authority.below(issuer, { level, validity, names, seed });
    this.#authorities.set(holder, authority);
    return authority;
  }
}

/** What the regions of a PKI have in common. */
interface NitroRoot {
  readonly authority: Authority;
  readonly certificate: Uint8Array;
  readonly seed: Seed;
}

/** A module's leaf and the chain that ends with it. */
interface NitroLeaf {
  readonly validity: Validity;
  readonly chain: Promise<NitroChain>;
}

/** Makes a Nitro PKI. It holds its private keys in memory, and derives them from the seed. */
export function createNitroPki(options: NitroPkiOptions = {}): Promise<NitroPki> {
  return NitroPki.create(options);
}
