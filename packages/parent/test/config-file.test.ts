import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseServiceConfig } from '../src/index.ts';
import { systemdSockets } from '../src/service/systemd-sockets.ts';

const refusal = (text: string): string => {
  try {
    parseServiceConfig(text, 'proxy.yaml');
    return 'nothing thrown';
  } catch (error) {
    expect(error).toMatchObject({ name: 'ProxyError', code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
};

const FULL = `
allowlist:
  - {address: kms.eu-west-1.amazonaws.com, port: 443}
  - {address: "*.s3.eu-west-1.amazonaws.com", port: 443, cids: [16]}
  - {address: 10.1.0.0/16, port: 5432}
routes:
  - name: kms
    from: {vsock: 8000}
    to: {host: kms.eu-west-1.amazonaws.com, port: 443}
  - name: tls
    from: {vsock: 8443, cids: [16]}
    to: {sni: 443}
  - name: web
    from: {vsock: 3128}
    to: {connect: true}
    allow: [{address: example.com, port: "*"}]
  - name: log
    from: {vsock: 5140}
    to: {unix: /run/log.sock}
  - name: api
    from: {tcp: "127.0.0.1:8080"}
    to: {cid: 16, port: 443, proxyProtocol: 2}
  - name: admin
    from: {tcp: "[::1]:8081"}
    to: {cid: 16, port: 444}
  - name: https
    from: {systemd: https}
    to: {cid: 17, port: 443}
limits: {connectTimeout: 3000, maxConnections: 100}
drainTimeout: 5000
metrics: 127.0.0.1:9100
credentials:
  grants: [{cid: 16, tokenFile: /etc/nitro_enclaves/token}]
logs: {cids: [16]}
`;

describe('the configuration file', () => {
  it('states routes, allow-list, limits, metrics, credentials and logs', () => {
    const { proxy, drainTimeout, metrics, credentials, logs } = parseServiceConfig(FULL, 'proxy.yaml');
    expect(proxy.routes.map(({ name, direction }) => `${direction} ${name}`)).toEqual([
      'egress kms',
      'egress tls',
      'egress web',
      'egress log',
      'ingress api',
      'ingress admin',
      'ingress https',
    ]);
    expect(proxy.routes[4]).toMatchObject({
      from: { kind: 'tcp', host: '127.0.0.1', port: 8080 },
      cid: 16,
      port: 443,
      proxyProtocol: 2,
    });
    expect(proxy.routes[5]).toMatchObject({ from: { host: '::1', port: 8081 } });
    expect(proxy.allowList).toHaveLength(3);
    expect(proxy.limits).toEqual({ connectTimeout: 3000, maxConnections: 100 });
    expect({ drainTimeout, metrics, logs }).toEqual({
      drainTimeout: 5000,
      metrics: { host: '127.0.0.1', port: 9100 },
      logs: { port: undefined, cids: [16] },
    });
    expect(credentials?.grants).toEqual([{ cid: 16, tokenFile: '/etc/nitro_enclaves/token' }]);
  });

  it("may be AWS's vsock-proxy.yaml as it is", () => {
    const official =
      'allowlist:\n- {address: kms.us-east-1.amazonaws.com, port: 443}\n- {address: kms-fips.us-east-1.amazonaws.com, port: 443}\n';
    expect(parseServiceConfig(official, 'vsock-proxy.yaml').proxy).toMatchObject({
      routes: [],
      allowList: [{ port: 443 }, { port: 443 }],
    });
  });

  it('may be empty, and allows nothing then', () => {
    expect(parseServiceConfig('', 'proxy.yaml').proxy).toMatchObject({ routes: [], allowList: [] });
  });

  it('may lead to a host that some of its enclaves only are allowed', () => {
    const allow = 'allowlist: [{address: a.example, port: 443, cids: [17]}]\n';
    const to = (from: string) => `${allow}routes: [{name: a, from: ${from}, to: {host: a.example, port: 443}}]`;
    expect(parseServiceConfig(to('{vsock: 1}'), 'proxy.yaml').proxy.routes).toHaveLength(1);
    expect(parseServiceConfig(to('{vsock: 1, cids: [16, 17]}'), 'proxy.yaml').proxy.routes).toHaveLength(1);
    expect(refusal(to('{vsock: 1, cids: [16]}'))).toContain('a.example port 443 on the allow-list');
  });

  const wrong: [string, string, string][] = [
    [
      'a misspelt destination',
      'routes: [{name: a, from: {vsock: 1}, to: {hots: b, port: 443}}]',
      'routes.0.to: expected {host, port}, {sni}, {connect: true} or {unix}',
    ],
    ['no listener', 'routes: [{name: a, to: {cid: 16, port: 1}}]', 'routes.0.from: expected {vsock}'],
    ['a port in quotes', 'allowlist: [{address: a.example, port: "443"}]', 'port: expected a port from 1 to 65535'],
    ['a grant to what is no CID', 'credentials: {grants: [{cid: all, tokenFile: /a}]}', "an enclave's CID"],
    ['a time that timers cannot take', 'limits: {idleTimeout: 3000000000}', 'limits.idleTimeout'],
    ['no YAML', 'a: [', 'expected YAML'],
    ['a key twice', 'routes: []\nroutes: []', 'expected YAML'],
    ['a list', '- a', 'the file'],
    ['a text', 'hello', 'the file'],
    ['an unknown key', 'allow_list: []', 'allow_list'],
    ['an entry without a port', 'allowlist: [{address: a.example}]', 'allowlist.0.port'],
    ['an entry with another key', 'allowlist: [{address: a.example, port: 443, ports: 1}]', 'ports'],
    ['an entry that is no host', 'allowlist: [{address: "a b", port: 443}]', 'a b'],
    ['a port out of range', 'allowlist: [{address: a.example, port: 65536}]', 'allowlist.0.port'],
    ['a CID that no enclave has', 'allowlist: [{address: a.example, port: 443, cids: [3]}]', 'allowlist.0.cids'],
    ['a route without a name', 'routes: [{from: {vsock: 1}, to: {connect: true}}]', 'routes.0'],
    ['a route to nowhere', 'routes: [{name: a, from: {vsock: 1}, to: {}}]', 'routes.0'],
    ['a route from nowhere', 'routes: [{name: a, from: {}, to: {connect: true}}]', 'routes.0'],
    [
      'a route to a host that is not on the list',
      'routes: [{name: a, from: {vsock: 1}, to: {host: a.example, port: 443}}]',
      'on the allow-list',
    ],
    [
      'a listener twice',
      'routes: [{name: a, from: {vsock: 1}, to: {connect: true}}, {name: b, from: {vsock: 1}, to: {connect: true}}]',
      'vsock:1 twice',
    ],
    [
      'a name twice',
      'routes: [{name: a, from: {vsock: 1}, to: {connect: true}}, {name: a, from: {vsock: 2}, to: {connect: true}}]',
      'name a twice',
    ],
    [
      'an address without a port',
      'routes: [{name: a, from: {tcp: 127.0.0.1}, to: {cid: 16, port: 1}}]',
      'address:port',
    ],
    ['a host name to listen on', 'metrics: "localhost:9100"', 'address:port'],
    [
      'a version that is none',
      'routes: [{name: a, from: {unix: /a}, to: {cid: 16, port: 1, proxyProtocol: 3}}]',
      'routes.0',
    ],
    ['a limit of nothing', 'limits: {maxConnections: 0}', 'limits.maxConnections'],
    [
      'a billion laughs',
      `a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]`,
      '',
    ],
  ];
  it.each(wrong)('with %s is refused, with the place', (_, text, place) => {
    expect(refusal(text)).toContain(place);
    expect(refusal(text)).toContain('proxy.yaml');
  });
});

describe("systemd's sockets", () => {
  it('are found by name', () => {
    expect(systemdSockets({ LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'https:admin' }, 7)).toEqual(
      new Map([
        ['https', 3],
        ['admin', 4],
      ]),
    );
  });

  it.each([
    {},
    { LISTEN_FDS: '1' },
    { LISTEN_PID: '8', LISTEN_FDS: '1' },
    { LISTEN_PID: '7', LISTEN_FDS: 'x' },
    { LISTEN_PID: '7', LISTEN_FDS: '0' },
  ])('of %j are none', (env) => expect(systemdSockets(env, 7)).toEqual(new Map()));

  it('units are there, with hardening and reload', () => {
    const folder = new URL('../systemd/', import.meta.url);
    expect(readdirSync(folder).sort()).toEqual(['nitro-enclaves-proxy.service', 'nitro-enclaves-proxy.socket']);
    const unit = readFileSync(new URL('nitro-enclaves-proxy.service', folder), 'utf8');
    for (const setting of [
      'ExecReload=/bin/kill -HUP',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_VSOCK',
      'LoadCredential=enclave-token:/etc/nitro_enclaves/enclave-token',
    ])
      expect(unit).toContain(setting);
    // A name that begins with "-" is a name: nothing makes such a file optional but a value that stands in for it.
    expect(unit).not.toMatch(/^LoadCredential=-/m);
    expect(unit).toMatch(/^SetCredential=enclave-token:./m);
  });
});
