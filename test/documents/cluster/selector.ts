import { StatusError } from './store.ts';

type Labels = Readonly<Record<string, string>>;

/** Whether labels have all of those. */
export const hasLabels = (labels: Labels | undefined, wanted: Labels | undefined): boolean =>
  Object.entries(wanted ?? {}).every(([name, value]) => labels?.[name] === value);

const REQUIREMENT = /^(?<not>!?)(?<name>[\w./-]+)(?:(?<operator>==?|!=)(?<value>[\w.-]*))?$/;

/** The test of a `labelSelector`: equalities, inequalities and existence, joined by commas. */
export function parseSelector(selector: string): (labels: Labels | undefined) => boolean {
  const requirements = selector
    .split(',')
    .filter(Boolean)
    .map((text) => {
      const { not, name = '', operator, value } = REQUIREMENT.exec(text.trim())?.groups ?? {};
      if (name === '' || (not === '!' && operator !== undefined))
        throw new StatusError(400, 'BadRequest', `unable to parse requirement: ${text}`);
      if (operator === undefined) return (labels: Labels) => name in labels === (not === '');
      return (labels: Labels) => (labels[name] === value) === (operator !== '!=');
    });
  return (labels = {}) => requirements.every((holds) => holds(labels));
}
