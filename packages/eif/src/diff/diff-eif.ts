import type { EifContents } from '../read/contents.ts';
import type { EifMetadata } from '../read/metadata.ts';
import type { EifChange, EifDiff, ImagePcrName, SignatureState } from './change.ts';
import { compareJson } from './json-changes.ts';
import type { Attribute } from './ramdisk-changes.ts';
import { compareRamdisks, summarise } from './ramdisk-changes.ts';

const PCR_NAMES: readonly ImagePcrName[] = ['PCR0', 'PCR1', 'PCR2', 'PCR8'];
const HEADER_FIELDS = ['version', 'architecture', 'defaultMemory', 'defaultCpus'] as const;

function compareKernels(left: EifContents, right: EifContents, attribute: Attribute): EifChange[] {
  const find = ({ sections }: EifContents): EifContents['sections'][number] | undefined =>
    sections.find(({ type }) => type === 'kernel');
  const [before, after] = [find(left), find(right)];
  if (before === undefined || after === undefined || before.sha384 === after.sha384) return [];
  return [{ kind: 'kernel', left: summarise(before), right: summarise(after), pcrs: attribute('PCR0', 'PCR1') }];
}

function compareCmdlines({ eif: left }: EifContents, { eif: right }: EifContents, attribute: Attribute): EifChange[] {
  if (left.cmdline === right.cmdline) return [];
  return [{ kind: 'cmdline', left: left.cmdline, right: right.cmdline, pcrs: attribute('PCR0', 'PCR1') }];
}

/** The order of what is measured: PCR0 covers the data in the file's order. */
function compareOrder(left: EifContents, right: EifContents, attribute: Attribute): EifChange[] {
  const order = ({ sections }: EifContents): string[] =>
    sections.map(({ type }) => type).filter((type) => type !== 'metadata' && type !== 'signature');
  const [before, after] = [order(left), order(right)];
  // Ramdisks that are only in one of the two are told as such.
  const place = (types: readonly string[]): string => types.join(' ').replace(/(ramdisk ?)+/g, 'ramdisk ');
  if (place(before) === place(after)) return [];
  return [{ kind: 'section-order', left: before, right: after, pcrs: attribute('PCR0', 'PCR1', 'PCR2') }];
}

function compareHeaders({ eif: left }: EifContents, { eif: right }: EifContents): EifChange[] {
  return HEADER_FIELDS.filter((field) => left.header[field] !== right.header[field]).map((field) => ({
    kind: 'header',
    field,
    left: left.header[field],
    right: right.header[field],
    pcrs: [],
  }));
}

/** The metadata in the wire's own form and names. */
function metadataJson(metadata: EifMetadata | undefined): unknown {
  if (metadata === undefined) return undefined;
  return {
    ImageName: metadata.imageName,
    ImageVersion: metadata.imageVersion,
    BuildMetadata: {
      BuildTime: metadata.buildTime,
      BuildTool: metadata.buildTool,
      BuildToolVersion: metadata.buildToolVersion,
      OperatingSystem: metadata.operatingSystem,
      KernelVersion: metadata.kernelVersion,
    },
    DockerInfo: metadata.dockerInfo,
    CustomMetadata: metadata.customMetadata,
  };
}

function compareMetadata({ eif: left }: EifContents, { eif: right }: EifContents): EifChange[] {
  return compareJson(metadataJson(left.metadata), metadataJson(right.metadata)).map((change) => ({
    kind: 'metadata',
    ...change,
    pcrs: [],
  }));
}

function signatureState({ eif }: EifContents): SignatureState {
  return eif.pcrs.PCR8 === undefined ? { signed: false } : { signed: true, PCR8: eif.pcrs.PCR8 };
}

function compareSignatures(left: EifContents, right: EifContents, attribute: Attribute): EifChange[] {
  const [before, after] = [signatureState(left), signatureState(right)];
  if (before.signed === after.signed && left.eif.pcrs.PCR8 === right.eif.pcrs.PCR8) return [];
  return [{ kind: 'signature', left: before, right: after, pcrs: attribute('PCR8') }];
}

/** Compares two images that have been read. Changes that move a PCR come first, in the order of the measurement. */
export function compareContents(left: EifContents, right: EifContents): EifDiff {
  const moved = PCR_NAMES.filter((name) => left.eif.pcrs[name] !== right.eif.pcrs[name]);
  const attribute: Attribute = (...candidates) => candidates.filter((name) => moved.includes(name));
  return {
    left: left.eif.pcrs,
    right: right.eif.pcrs,
    moved,
    changes: [
      ...compareOrder(left, right, attribute),
      ...compareKernels(left, right, attribute),
      ...compareCmdlines(left, right, attribute),
      ...compareRamdisks(left.ramdisks, right.ramdisks, attribute),
      ...compareSignatures(left, right, attribute),
      ...compareHeaders(left, right),
      ...compareMetadata(left, right),
    ],
  };
}
