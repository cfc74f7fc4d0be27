/** The six parts of an Amazon Resource Name; the last may hold colons. */
export interface Arn {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly accountId: string;
  readonly resource: string;
}

/** Parts of an ARN; `null` when the text is none. */
export function parseArn(text: string): Arn | null {
  const [scheme, partition, service, region, accountId, ...resource] = text.split(':');
  if (scheme !== 'arn' || !partition || !service || region === undefined || accountId === undefined) return null;
  return resource.length === 0 ? null : { partition, service, region, accountId, resource: resource.join(':') };
}

/** A partition of AWS: the name in its ARNs, and what its host names end with. */
interface Partition {
  readonly name: string;
  readonly dnsSuffix: string;
}

/** Partitions by what the names of their regions begin with; all other regions are commercial ones. */
const PARTITIONS: ReadonlyMap<string, Partition> = new Map([
  ['cn', { name: 'aws-cn', dnsSuffix: 'amazonaws.com.cn' }],
  ['us-gov', { name: 'aws-us-gov', dnsSuffix: 'amazonaws.com' }],
  ['us-iso', { name: 'aws-iso', dnsSuffix: 'c2s.ic.gov' }],
  ['us-isob', { name: 'aws-iso-b', dnsSuffix: 'sc2s.sgov.gov' }],
  ['eu-isoe', { name: 'aws-iso-e', dnsSuffix: 'cloud.adc-e.uk' }],
  ['us-isof', { name: 'aws-iso-f', dnsSuffix: 'csp.hci.ic.gov' }],
  ['eusc', { name: 'aws-eusc', dnsSuffix: 'amazonaws.eu' }],
]);
const COMMERCIAL: Partition = { name: 'aws', dnsSuffix: 'amazonaws.com' };

function findPartition(region: string): Partition {
  return [...PARTITIONS].find(([prefix]) => region.startsWith(`${prefix}-`))?.[1] ?? COMMERCIAL;
}

/** The partition of a region, which begins its ARNs. */
export function partitionOf(region: string): string {
  return findPartition(region).name;
}

/** What the host names of a region's services end with. */
export function dnsSuffixOf(region: string): string {
  return findPartition(region).dnsSuffix;
}

/** Where keys live: what all ARNs of one emulated KMS have in common. */
export interface KmsPlace {
  readonly region: string;
  /** 12 digits. */
  readonly accountId: string;
}

/** ARN of a key or an alias of this place. `resource` such as `key/…` or `alias/…`. */
export function kmsArn({ region, accountId }: KmsPlace, resource: string): string {
  return `arn:${partitionOf(region)}:kms:${region}:${accountId}:${resource}`;
}
