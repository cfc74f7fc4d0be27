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

/** The partition of a region, which begins its ARNs. */
export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
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
