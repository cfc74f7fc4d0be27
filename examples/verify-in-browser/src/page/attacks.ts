import { decodeHex } from '@nitro-enclaves/core';
import type { PageTrust } from './trust.ts';

/** An answer, the challenge that it has to carry, and whom to trust when it is judged. */
export interface Question {
  readonly answer: Uint8Array;
  readonly nonce: Uint8Array;
  readonly trust: Pick<PageTrust, 'images' | 'emulatorRoot'>;
}

/** Something that whoever carries the answers could do, and that has to be noticed. */
export interface Attack {
  readonly id: string;
  readonly label: string;
  /** Makes a question that is right into one that is wrong. */
  readonly apply: (question: Question, makeNonce: () => Uint8Array) => Question;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let start = 0; start + wanted.length <= bytes.length; start += 1) {
    if (wanted.every((byte, index) => bytes[start + index] === byte)) return start;
  }
  return -1;
}

/** Another PCR0 in a document that is otherwise left as it is: what a forger without AWS's keys can do. */
function withOtherPcr0({ answer, nonce, trust }: Question): Question {
  const forged = answer.slice();
  for (const { pcrs } of trust.images) {
    const at = indexOf(forged, decodeHex(pcrs[0]));
    if (at >= 0) forged[at] = (forged[at] ?? 0) ^ 1;
  }
  return { answer: forged, nonce, trust };
}

function expectingOtherImage({ answer, nonce, trust: { images, ...rest } }: Question): Question {
  const others = images.map(({ name, pcrs }) => ({ name, pcrs: { ...pcrs, 0: pcrs[0].replace(/./g, 'a') } }));
  return { answer, nonce, trust: { ...rest, images: others } };
}

/** The attacks that the page offers to try. */
export const ATTACKS: readonly Attack[] = [
  {
    id: 'replay',
    label: 'Replay this answer',
    apply: ({ answer, trust }, makeNonce) => ({ answer, nonce: makeNonce(), trust }),
  },
  { id: 'forge', label: 'Forge its PCR0', apply: withOtherPcr0 },
  { id: 'image', label: 'Expect another image', apply: expectingOtherImage },
  {
    id: 'root',
    label: 'Trust AWS only',
    apply: ({ answer, nonce, trust: { images } }) => ({ answer, nonce, trust: { images } }),
  },
];
