// The command line of nitro-cli 1.5, as its own parser takes it: sub-commands, their options, which of them belong
// together, and the form of each value. A document's command that this refuses is one that nitro-cli refuses.

const TEXT = { form: /^(?!--)[\s\S]+$/, what: 'a value' };
const NUMBER = { form: /^\d{1,9}$/, what: 'a whole number' };
const COUNT = { form: /^[1-9]\d{0,3}$/, what: 'a number of CPUs' };
const MEMORY = { form: /^[1-9]\d*[MmGgTt]?$/, what: 'MiB, or a number with M, G or T' };
const ERROR_CODE = { form: /^E\d{2}$/, what: 'an error code such as E36' };
/** 1, 2, 3 and 0xffffffff are taken; 0 leaves the choice to nitro-cli. */
const CID = {
  form: { test: (text) => /^\d{1,10}$/.test(text) && ![1, 2, 3].includes(Number(text)) && Number(text) < 0xffffffff },
  what: 'a CID of an enclave',
};
const FLAG = { flag: true };
const MANY = (value) => ({ ...value, many: true });

/** By sub-command: every option; `needs` lists sets of which exactly one member has to be there; `pairs` come together. */
const COMMANDS = {
  'build-enclave': {
    options: {
      'docker-uri': TEXT,
      'docker-dir': TEXT,
      'output-file': TEXT,
      'signing-certificate': TEXT,
      'private-key': TEXT,
      name: TEXT,
      version: TEXT,
      metadata: TEXT,
    },
    needs: [['docker-uri'], ['output-file']],
    pairs: [['signing-certificate', 'private-key']],
  },
  'run-enclave': {
    options: {
      'eif-path': TEXT,
      memory: MEMORY,
      'cpu-count': COUNT,
      'cpu-ids': MANY(NUMBER),
      'enclave-cid': CID,
      'enclave-name': TEXT,
      'debug-mode': FLAG,
      'attach-console': FLAG,
      config: TEXT,
    },
    needs: [
      ['eif-path', 'config'],
      ['memory', 'config'],
      ['cpu-count', 'cpu-ids', 'config'],
    ],
  },
  'describe-enclaves': { options: { metadata: FLAG } },
  'terminate-enclave': {
    options: { 'enclave-id': TEXT, 'enclave-name': TEXT, all: FLAG },
    needs: [['enclave-id', 'enclave-name', 'all']],
  },
  console: {
    options: { 'enclave-id': TEXT, 'enclave-name': TEXT, 'disconnect-timeout': NUMBER },
    needs: [['enclave-id', 'enclave-name']],
  },
  'describe-eif': { options: { 'eif-path': TEXT }, needs: [['eif-path']] },
  'sign-eif': {
    options: { 'eif-path': TEXT, 'private-key': TEXT, 'signing-certificate': TEXT },
    needs: [['eif-path'], ['private-key'], ['signing-certificate']],
  },
  pcr: { options: { input: TEXT, 'signing-certificate': TEXT }, needs: [['input', 'signing-certificate']] },
  '--version': { options: {} },
  explain: { options: { 'error-code': ERROR_CODE }, needs: [['error-code']] },
};

/** Takes the values of an option from the front of `rest`. */
function takeValues(name, { form, what, many = false }, rest) {
  const values = [];
  do {
    const value = rest.shift();
    if (value === undefined || !form.test(value))
      throw new Error(`--${name}: expected ${what}, found ${value ?? 'nothing'}`);
    values.push(value);
  } while (many && rest.length > 0 && !rest[0].startsWith('--'));
  return many ? values : values[0];
}

function checkTogether({ needs = [], pairs = [] }, found) {
  const list = (names) => names.map((name) => `--${name}`).join(', ');
  for (const names of needs) {
    const given = names.filter((name) => name in found);
    if (given.length !== 1)
      throw new Error(`expected ${names.length > 1 ? 'one of ' : ''}${list(names)}, found ${list(given) || 'none'}`);
  }
  for (const [one, other] of pairs)
    if (one in found !== other in found) throw new Error(`expected --${one} and --${other} together`);
}

/**
 * Reads a command line of nitro-cli (without the program's own name).
 * @param {readonly string[]} args
 * @returns {{ command: string, options: Record<string, string | true | string[]> }}
 * @throws {Error} when nitro-cli would refuse it: an unknown command or option, a missing one, a value of another form.
 */
export function parseNitroCliArguments([command = '', ...args]) {
  const grammar = COMMANDS[command];
  if (grammar === undefined)
    throw new Error(`expected ${Object.keys(COMMANDS).join(', ')}, found ${command || 'nothing'}`);
  const options = {};
  const rest = args.flatMap((word) =>
    /^--[\w-]+=/.test(word) ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word],
  );
  while (rest.length > 0) {
    const word = rest.shift();
    const name = word.startsWith('--') ? word.slice(2) : undefined;
    const option = name !== undefined && Object.hasOwn(grammar.options, name) ? grammar.options[name] : undefined;
    if (option === undefined) throw new Error(`${command}: expected one of its options, found ${word}`);
    if (name in options) throw new Error(`${command}: expected --${name} once`);
    options[name] = option.flag ? true : takeValues(name, option, rest);
  }
  checkTogether(grammar, options);
  return { command, options };
}
