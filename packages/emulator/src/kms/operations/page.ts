import { KmsServiceError } from '../service-error.ts';
import type { Output, OutputValue } from './operation.ts';

/** Which part of a list is asked for. */
export interface PageInput {
  readonly Limit: number | undefined;
  readonly Marker: string | undefined;
}

/** A marker is the place of the next item; nobody is to make one up. */
function readMarker(marker: string | undefined): number {
  if (marker === undefined) return 0;
  const place = Number(
    Buffer.from(marker, 'base64url')
      .toString('latin1')
      .match(/^after ([1-9]\d{0,8})$/)?.[1],
  );
  if (Number.isSafeInteger(place)) return place;
  throw new KmsServiceError('InvalidMarkerException', `Invalid marker: ${marker.slice(0, 64)}`);
}

/** One page of a list as KMS answers it: the items under `member`, `Truncated`, and `NextMarker` when there is more. */
export function pageOf(
  items: readonly OutputValue[],
  { Limit: limit = 100, Marker: marker }: PageInput,
  member: string,
): Output {
  const start = readMarker(marker);
  const end = start + limit;
  const isTruncated = end < items.length;
  return {
    [member]: items.slice(start, end),
    Truncated: isTruncated,
    NextMarker: isTruncated ? Buffer.from(`after ${end}`).toString('base64url') : undefined,
  };
}
