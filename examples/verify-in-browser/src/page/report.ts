import type { ChainCertificate, VerifiedAttestationDocument } from '@nitro-enclaves/attestation';
import type { CheckOutcome } from '@nitro-enclaves/attestation/diagnosis';
import { CHECKS } from '@nitro-enclaves/attestation/diagnosis';
import { encodeHex } from '@nitro-enclaves/core';
import { element } from './element.ts';
import type { Verdict } from './judge.ts';

const SHOWN_PCRS: readonly [index: number, meaning: string][] = [
  [0, 'the whole image'],
  [1, 'kernel and boot'],
  [2, 'the application'],
  [4, 'the parent instance'],
];
const UNITS: readonly [unit: string, ms: number][] = [
  ['year', 365.25 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];

function durationText(ms: number): string {
  const [unit, size] = UNITS.find(([, unitMs]) => ms >= 2 * unitMs) ?? ['second', 1000];
  const count = Math.round(ms / size);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function card(title: string, ...content: readonly Node[]): HTMLElement {
  return element('section', 'card', element('h3', '', title), ...content);
}

function facts(entries: readonly (readonly [name: string, value: string])[]): HTMLElement {
  const list = element('dl', 'facts');
  for (const [name, value] of entries) list.append(element('dt', '', name), element('dd', '', value));
  return list;
}

function imageCard({ image, pcrs }: VerifiedAttestationDocument): HTMLElement {
  const rows = SHOWN_PCRS.flatMap(([index, meaning]) => {
    const value = pcrs[index];
    if (value === undefined) return [];
    const name = element('div', 'pcr-name', element('b', '', `PCR${index}`), ` ${meaning}`);
    return [element('div', 'pcr', name, element('code', '', value))];
  });
  return card(`Image: ${image?.name ?? 'any'}`, ...rows);
}

function enclaveCard(document: VerifiedAttestationDocument, statement: unknown): HTMLElement {
  const { moduleId, region, timestamp, verifiedAt, nonce, isCustomTrustAnchor } = document;
  const age = verifiedAt - timestamp;
  return card(
    'Enclave',
    facts([
      ['Module', moduleId],
      ['Region', region ?? 'not named'],
      ['Signed', `${timeText(timestamp)}, ${age < 2000 ? 'just now' : `${durationText(age)} ago`}`],
      ['Trust anchor', isCustomTrustAnchor ? "an emulator's root, not AWS" : 'AWS Nitro Enclaves root G1'],
      ['Your challenge', encodeHex(nonce ?? new Uint8Array())],
    ]),
    element('h3', '', 'What it says under its signature'),
    statementFacts(statement),
  );
}

function statementFacts(statement: unknown): HTMLElement {
  const entries = Object.entries(typeof statement === 'object' && statement !== null ? statement : { says: statement });
  return facts(entries.map(([name, value]) => [name, String(value)]));
}

/** Much of a lifetime, or little: the bar shows how much of it is over. */
function lifetime({ subject, notBefore, notAfter }: ChainCertificate, now: number): HTMLElement {
  const name = subject.match(/CN=([^,]+)/)?.[1] ?? subject;
  const gone = element('progress', '');
  gone.max = 1;
  gone.value = Math.min(1, (now - notBefore) / (notAfter - notBefore));
  const left = element('span', 'left', `${durationText(notAfter - now)} left of ${durationText(notAfter - notBefore)}`);
  const row = element('li', '', element('code', '', name), gone, left);
  row.title = `${timeText(notBefore)} to ${timeText(notAfter)}`;
  return row;
}

function chainCard({ chain, verifiedAt }: VerifiedAttestationDocument): HTMLElement {
  const list = element('ol', 'chain');
  list.append(...chain.map((certificate) => lifetime(certificate, verifiedAt)));
  const shown = card('Certificates, root first', list);
  shown.classList.add('wide');
  return shown;
}

const OUTCOME_WORDS = { passed: 'holds', failed: 'fails', 'not-reached': 'not reached', 'not-asked': 'not asked' };

function checksCard(outcomes: readonly CheckOutcome[]): HTMLElement {
  const asked = outcomes.filter(({ outcome }) => outcome !== 'not-asked');
  const passed = asked.filter(({ outcome }) => outcome === 'passed').length;
  const list = element('ul', 'checks');
  for (const { check, outcome } of asked) {
    const row = element('li', outcome, CHECKS[check]);
    row.dataset['check'] = check;
    row.title = OUTCOME_WORDS[outcome];
    list.append(row);
  }
  const shown = card(`Checks: ${passed} of ${asked.length} hold`, list);
  shown.classList.add('wide');
  return shown;
}

/** The heading: what a visitor has to know. */
export function verdictOf(verdict: Verdict): readonly Node[] {
  if (verdict.kind === 'verified') {
    const { document } = verdict;
    const sentence = `It runs ${document.image?.name ?? 'a trusted image'}, it is not in debug mode, and it answered just now.`;
    return [element('h2', '', 'Yes: this is the enclave'), element('p', '', sentence)];
  }
  return [
    element('h2', '', 'No: this answer is refused'),
    element('p', '', element('code', 'code', verdict.code), ` ${verdict.message}`),
  ];
}

/** The details. Of a refused document only the checks: what it says is not to be believed. */
export function reportOf(verdict: Verdict): readonly Node[] {
  if (verdict.kind === 'refused') return [checksCard(verdict.outcomes)];
  const { document, statement, outcomes } = verdict;
  return [imageCard(document), enclaveCard(document, statement), chainCard(document), checksCard(outcomes)];
}
