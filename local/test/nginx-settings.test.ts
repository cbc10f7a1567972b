import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readConfig } from '../config.ts'
import { renderTemplate } from '../servers/nginx.ts'
import { nginxValues } from '../servers/nginx-settings.ts'

const folder = join(import.meta.dirname, '../../infra/nginx')
const script = join(folder, 'settings.envsh')
/** As docker-compose.yml sets them. */
const ofCompose = { NGINX_STATE_DIR: '/nowhere', NGINX_TLS_CERTIFICATE: '/nowhere', NGINX_TLS_KEY: '/nowhere' }

const scratch = mkdtempSync(join(tmpdir(), 'clicktally-settings-'))
afterAll(() => rmSync(scratch, { recursive: true }))

/** The NGINX_ variables that the script sets for the entrypoint of nginx's image, or its error message if it fails. */
function containerValues(settings: Record<string, string>): Record<string, string> | string {
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', `. "${script}"; env -0`], {
    env: { PATH: '/usr/bin:/bin', NGINX_SELF_SIGNED: join(folder, 'self-signed.sh'), ...ofCompose, ...settings },
    encoding: 'utf8',
  })
  if (status !== 0) return stderr
  const variables = stdout.split('\0').map((each) => /^(NGINX_\w+)=(.*)$/s.exec(each))
  return Object.fromEntries(variables.flatMap((match) => (match ? [[match[1] as string, match[2] as string]] : [])))
}

describe('the settings of nginx', () => {
  test.each([
    {},
    { CLICKTALLY_HOSTS: '', CLICKTALLY_REQUESTS_AT_ONCE: '' },
    { CLICKTALLY_HOSTS: 'counts.example.org', CLICKTALLY_TRUSTED_PROXIES: '192.0.2.7' },
    { CLICKTALLY_HOSTS: 'a.example  *.example.com', CLICKTALLY_TRUSTED_PROXIES: '10.0.0.0/8 2001:db8::/32' },
    {
      CLICKTALLY_REQUESTS_PER_SECOND: '1',
      CLICKTALLY_REQUESTS_AT_ONCE: '2',
      CLICKTALLY_BATCHES_AT_ONCE: '3',
      CLICKTALLY_READS_AT_ONCE: '65535',
    },
    { CLICKTALLY_SCRIPT_PATH: '/assets/s_1/shop-2.js' },
    { CLICKTALLY_TLS: 'off', CLICKTALLY_LISTEN_TLS: '0.0.0.0:443' },
    { CLICKTALLY_LISTEN_TLS: '[::1]:9443' },
  ])('mean the same with and without a container: %o', (settings) => {
    const { NGINX_HOSTS: localHosts, ...local } = nginxValues(readConfig(settings))
    const inContainer = containerValues(settings)
    const tidy = (text = '') => text.split(/\s+/).filter(Boolean)
    expect(typeof inContainer).toBe('object')
    const { NGINX_HOSTS, ...others } = inContainer as Record<string, string | undefined>
    // Other containers reach this one as `nginx`.
    expect(tidy(NGINX_HOSTS)).toEqual(['nginx', ...tidy(localHosts)])
    expect(others).toMatchObject(local)
  })

  test.each([
    ['CLICKTALLY_HOSTS', 'a.example; return 200'],
    ['CLICKTALLY_HOSTS', '$host'],
    ['CLICKTALLY_HOSTS', '~.*'],
    ['CLICKTALLY_TRUSTED_PROXIES', '10.0.0.0/8;'],
    ['CLICKTALLY_TRUSTED_PROXIES', '`id`'],
    ['CLICKTALLY_REQUESTS_PER_SECOND', '0'],
    ['CLICKTALLY_REQUESTS_PER_SECOND', '1000001'],
    ['CLICKTALLY_REQUESTS_AT_ONCE', '-1'],
    ['CLICKTALLY_BATCHES_AT_ONCE', '65536'],
    ['CLICKTALLY_READS_AT_ONCE', '1e3'],
    ...['tally.js', '/tally', '/.js', '/a/.js', '//a.js', '/a b.js', '/a;.js', '/$uri.js', '/a.b.js', '/a\n.js'].map(
      (path) => ['CLICKTALLY_SCRIPT_PATH', path],
    ),
    ['CLICKTALLY_TLS', 'on'],
  ])('that are wrong stop the start and are named: %s is %j', (name, value) => {
    expect(containerValues({ [name]: value })).toContain(name)
    expect(() => readConfig({ [name]: value })).toThrow(name)
  })
})

describe('where nginx listens', () => {
  test.each(['0.0.0.0:80', '127.0.0.1:65535', '[::1]:8080', '[::]:1'])('may be %s', (address) => {
    const { listen, listenTls } = readConfig({ CLICKTALLY_LISTEN: address, CLICKTALLY_LISTEN_TLS: address })
    expect([listen, listenTls].map(({ host, port }) => `${host}:${port}`)).toEqual([address, address])
  })

  test.each([
    '8080',
    'localhost:80',
    '127.0.0.1',
    '127.0.0.1:0',
    '1.2.3:80',
    '127.0.0.1:65536',
    '[:::]:1',
    '0.0.0.0:80;',
  ])('may not be %s', (address) => {
    expect(() => readConfig({ CLICKTALLY_LISTEN: address })).toThrow('CLICKTALLY_LISTEN')
  })
})

describe('requests without a key', () => {
  const open = { CLICKTALLY_OPEN: 'loopback' }
  test.each([
    open,
    { ...open, CLICKTALLY_LISTEN: '127.0.0.2:80', CLICKTALLY_LISTEN_TLS: '0.0.0.0:443' },
    { ...open, CLICKTALLY_LISTEN: '[::1]:8080', CLICKTALLY_TLS: 'self-signed' },
    { CLICKTALLY_OPEN: 'no', CLICKTALLY_LISTEN: '0.0.0.0:8080' },
  ])('are accepted from this machine: %o', (settings) => {
    expect(typeof containerValues({ ...settings, NGINX_STATE_DIR: scratch })).toBe('object')
    expect(() => readConfig(settings)).not.toThrow()
  })

  test.each([
    ['CLICKTALLY_LISTEN', { ...open, CLICKTALLY_LISTEN: '0.0.0.0:8080' }],
    ['CLICKTALLY_LISTEN', { ...open, CLICKTALLY_LISTEN: '192.0.2.7:8080' }],
    ['CLICKTALLY_LISTEN', { ...open, CLICKTALLY_LISTEN: '[::]:8080' }],
    ['CLICKTALLY_LISTEN_TLS', { ...open, CLICKTALLY_LISTEN_TLS: '0.0.0.0:443', CLICKTALLY_TLS: 'self-signed' }],
    ['CLICKTALLY_OPEN', { CLICKTALLY_OPEN: 'yes' }],
  ])('are not accepted from the network: %s %o', (name, settings) => {
    const explained = new RegExp(name === 'CLICKTALLY_OPEN' ? name : `without a key, but ${name} is`)
    expect(containerValues({ ...settings, NGINX_STATE_DIR: scratch })).toMatch(explained)
    expect(() => readConfig(settings)).toThrow(explained)
  })

  test.each(['8080', 'localhost:80', '127.evil:80', '127.0.0.1:x', ':8080', '1127.0.0.1:80'])(
    'are not accepted where compose publishes %s',
    (address) => {
      expect(containerValues({ ...open, CLICKTALLY_LISTEN: address })).toContain('CLICKTALLY_LISTEN is no')
    },
  )
})

describe('TLS in a container', () => {
  const template = readFileSync(join(folder, 'nginx.conf.template'), 'utf8')
  /** The lines of the configuration that are no comments. */
  const configuration = (values: Record<string, string> | string) => {
    expect(typeof values).toBe('object')
    const set = new Proxy(values as Record<string, string>, {
      get: (own, name) => own[String(name)] ?? 'set-by-compose',
    })
    return renderTemplate(template, set)
      .split('\n')
      .map((line) => line.trim().replace(/ +/g, ' '))
      .filter((line) => line !== '' && !line.startsWith('#'))
  }

  test('with a self-signed certificate, which the next start keeps', () => {
    const settings = { CLICKTALLY_TLS: 'self-signed', CLICKTALLY_HOSTS: '*.example.com', NGINX_STATE_DIR: scratch }
    const lines = configuration(containerValues(settings))
    expect(lines).toContain(`ssl_certificate ${scratch}/self-signed/certificate.pem;`)
    expect(lines).toContain('http2 on;')
    expect(lines).toContain(`on 'h3=":8443"; ma=86400';`)
    const read = () => readFileSync(`${scratch}/self-signed/certificate.pem`, 'utf8')
    const first = read()
    expect(new X509Certificate(first).subjectAltName).toContain('DNS:*.example.com')
    containerValues(settings)
    expect(read()).toBe(first)
    containerValues({ ...settings, CLICKTALLY_HOSTS: 'counts.example.org' })
    expect(read()).not.toBe(first)
  })

  test("with the operator's certificate, which must be readable", () => {
    const paths = { CLICKTALLY_TLS_CERTIFICATE: '/host/c', CLICKTALLY_TLS_KEY: '/host/k' }
    const file = join(scratch, 'pem')
    writeFileSync(file, 'PEM')
    const mounted = { NGINX_TLS_CERTIFICATE: file, NGINX_TLS_KEY: file }
    const lines = configuration(containerValues({ CLICKTALLY_TLS: 'certificate', ...paths, ...mounted }))
    expect(lines).toContain(`ssl_certificate_key ${file};`)
    expect(containerValues({ CLICKTALLY_TLS: 'certificate', ...paths })).toContain('/nowhere')
    expect(containerValues({ CLICKTALLY_TLS: 'certificate', ...mounted })).toContain('CLICKTALLY_TLS_CERTIFICATE')
    expect(() => readConfig({ CLICKTALLY_TLS: 'certificate' })).toThrow(
      /CLICKTALLY_TLS_CERTIFICATE.*CLICKTALLY_TLS_KEY/s,
    )
  })

  test.each([
    ['acme', 'https://acme-v02.api.letsencrypt.org/directory'],
    ['acme-staging', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
  ])("with certificates of Let's Encrypt: %s", (tls, server) => {
    const lines = configuration(containerValues({ CLICKTALLY_TLS: tls, CLICKTALLY_HOSTS: 'a.example, b.example' }))
    expect(lines[0]).toBe('load_module modules/ngx_http_acme_module.so;')
    expect(lines.filter((line) => line.startsWith('acme_certificate'))).toEqual([
      'acme_certificate acme a.example b.example;',
      'acme_certificate acme a.example b.example;',
    ])
    expect(lines.find((line) => line.startsWith('acme_issuer'))).toContain(`uri ${server};`)
    expect(lines).toContain('ssl_certificate $acme_certificate;')
    expect(() => readConfig({ CLICKTALLY_TLS: tls, CLICKTALLY_HOSTS: 'a.example' })).toThrow('CLICKTALLY_TLS')
  })

  test('ACME needs names that it can check', () => {
    expect(containerValues({ CLICKTALLY_TLS: 'acme' })).toContain('needs CLICKTALLY_HOSTS')
    expect(containerValues({ CLICKTALLY_TLS: 'acme', CLICKTALLY_HOSTS: 'a.example *.b.example' })).toContain('wildcard')
  })

  test('none unless asked for', () => {
    const lines = configuration(containerValues({}))
    expect(lines.filter((line) => /ssl|acme|http2|quic|308/.test(line))).toEqual([])
  })
})
