// What runs in the visitor's browser.
import { encodeHex } from '@nitro-enclaves/core';
import { NONCE_BYTES } from '../nonce.ts';
import type { Attack, Question } from './attacks.ts';
import { ATTACKS } from './attacks.ts';
import { element, elementById } from './element.ts';
import { judge } from './judge.ts';
import { reportOf, verdictOf } from './report.ts';
import type { PageTrust } from './trust.ts';

/** Put in by `buildPage`. */
declare const PAGE_TRUST: PageTrust;

const ANSWER_TIMEOUT_MS = 20_000;
let last: Question | undefined;

function makeNonce(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
}

function show(className: string, verdict: readonly Node[], report: readonly Node[]): void {
  const shown = elementById('verdict');
  shown.className = `verdict ${className}`;
  shown.replaceChildren(...verdict);
  elementById('report').replaceChildren(...report);
}

function showFailure(error: unknown): void {
  const sentence = error instanceof Error ? error.message : String(error);
  show('failed', [element('h2', '', 'There is no answer'), element('p', '', sentence)], []);
}

async function fetchAnswer(nonce: Uint8Array): Promise<Uint8Array> {
  const response = await fetch(`${PAGE_TRUST.endpoint}?nonce=${encodeHex(nonce)}`, {
    cache: 'no-store',
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the server says ${response.status}: ${await response.text()}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function judgeAndShow({ answer, nonce, trust }: Question): Promise<boolean> {
  const verdict = await judge(answer, nonce, trust);
  show(verdict.kind, verdictOf(verdict), reportOf(verdict));
  return verdict.kind === 'verified';
}

function offerAttacks(isOffered: boolean): void {
  for (const button of elementById('attacks').querySelectorAll('button')) button.disabled = !isOffered;
}

async function ask(): Promise<void> {
  last = undefined;
  offerAttacks(false);
  show('waiting', [element('h2', '', 'Waiting for an answer\u2026')], []);
  const nonce = makeNonce();
  const question = { nonce, answer: await fetchAnswer(nonce), trust: PAGE_TRUST };
  if (!(await judgeAndShow(question))) return;
  last = question;
  offerAttacks(true);
}

/** Each attack begins with the last answer that was right. */
async function attack({ apply }: Attack): Promise<void> {
  if (last !== undefined) await judgeAndShow(apply(last, makeNonce));
}

function addAttack(one: Attack): void {
  const button = element('button', '', one.label);
  button.type = 'button';
  button.id = `attack-${one.id}`;
  button.disabled = true;
  button.addEventListener('click', () => attack(one).catch(showFailure));
  elementById('attacks').append(button);
}

const isEmulated = PAGE_TRUST.emulatorRoot !== undefined;
for (const one of ATTACKS.filter(({ id }) => isEmulated || id !== 'root')) addAttack(one);
elementById('ask').addEventListener('click', () => ask().catch(showFailure));
ask().catch(showFailure);
