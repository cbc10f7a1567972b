import { readFileSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect, type SecureVersion } from 'node:tls'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type NginxUnderTest, startNginxUnderTest } from '../nginx-under-test.ts'
import { rawRequest } from '../raw-request.ts'
import { makeCertificate } from '../self-signed-certificate.ts'

interface Answer {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** The self-signed certificate of nginx, to be trusted as its own CA. */
function authority({ dir }: NginxUnderTest): Buffer {
  return readFileSync(join(dir, 'certificate', 'certificate.pem'))
}

function get(port: number, ca: Buffer, host: string, path = '/v1/counts'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, ca, servername: host, headers: { host }, agent: false }
    request(options, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode, headers: response.headers }))
    })
      .on('error', reject)
      .end()
  })
}

/** The negotiated protocol of a handshake that offers only this version, or its error. */
function handshake(port: number, ca: Buffer, version: SecureVersion): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      ...{ host: '127.0.0.1', port, ca, servername: 'localhost', minVersion: version, maxVersion: version },
      // By default, OpenSSL itself refuses the old versions.
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
    socket.on('secureConnect', () => {
      resolve(`${socket.getProtocol()} ${socket.authorized}`)
      socket.destroy()
    })
    socket.on('error', (error) => resolve(`refused: ${error.message}`))
  })
}

describe('with a self-signed certificate', () => {
  test('TLS 1.2 and 1.3 are supported, older versions are not', async () => {
    const nginx = await startNginxUnderTest({ tls: 'self-signed' })
    const ca = authority(nginx)
    expect(await handshake(nginx.tlsPort, ca, 'TLSv1.3')).toBe('TLSv1.3 true')
    expect(await handshake(nginx.tlsPort, ca, 'TLSv1.2')).toBe('TLSv1.2 true')
    expect(await handshake(nginx.tlsPort, ca, 'TLSv1.1')).toMatch(/^refused: .*version/i)
  })

  test('the certificate is valid for the loopback names and the hosts, and for no other', async () => {
    const hosts = ['counts.example.org', '*.example.com', '192.0.2.7', '[2001:db8::7]']
    const nginx = await startNginxUnderTest({ tls: 'self-signed', hosts })
    const ca = authority(nginx)
    for (const host of ['localhost', 'counts.example.org', 'a.example.com']) {
      expect((await get(nginx.tlsPort, ca, host)).status, host).toBe(200)
    }
    await expect(get(nginx.tlsPort, ca, 'counts.example.net')).rejects.toThrow('altnames')
  })

  test('a service sees that the request came by HTTPS', async () => {
    const nginx = await startNginxUnderTest({ tls: 'self-signed' })
    await get(nginx.tlsPort, authority(nginx), 'localhost')
    expect(nginx.passed.map(({ headers }) => headers['x-forwarded-proto'])).toEqual(['https'])
  })

  test('browsers are told to stay with HTTPS, except for names that other programs use too', async () => {
    const nginx = await startNginxUnderTest({ tls: 'self-signed', hosts: ['counts.example.org'] })
    const ca = authority(nginx)
    const policy = async (host: string, path?: string) =>
      (await get(nginx.tlsPort, ca, host, path)).headers['strict-transport-security']
    expect(await policy('counts.example.org')).toBe('max-age=31536000')
    expect(await policy('counts.example.org', '/nothing')).toBe('max-age=31536000')
    expect(await policy('localhost')).toBeUndefined()
  })

  test('HTTP/2 is supported, and its streams count towards the limits', async () => {
    const nginx = await startNginxUnderTest({ tls: 'self-signed', batchesAtOnce: 4 })
    const session = connectHttp2(`https://localhost:${nginx.tlsPort}`, { ca: authority(nginx) })
    onTestFinished(() => session.destroy())
    session.on('error', () => {})
    const statuses: number[] = []
    for (let stream = 0; stream < 20; stream += 1) {
      const headers = { ':method': 'POST', ':path': '/v1/events/batch', 'content-length': '900000' }
      session
        .request(headers)
        .on('response', (answer) => statuses.push(Number(answer[':status'])))
        .on('error', () => {})
        .write('x'.repeat(1_000))
    }
    await expect.poll(() => statuses.length).toBe(16)
    expect(new Set(statuses)).toEqual(new Set([429]))
    expect(session.alpnProtocol).toBe('h2')
    const single = await new Promise<number>((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': '/v1/events' })
      stream.on('response', (answer) => resolve(Number(answer[':status']))).on('error', reject)
      stream.end('{}')
    })
    expect(single).toBe(202)
  })
})

describe('with TLS, plain HTTP', () => {
  const raw = (port: number, method: string, headers: readonly string[] = []) =>
    rawRequest({
      port,
      text: [`${method} /v1/counts?a=b%20c HTTP/1.1`, 'connection: close', ...headers, '', ''].join('\r\n'),
    })

  test('redirects browsers to HTTPS', async () => {
    const { port, tlsPort, passed } = await startNginxUnderTest({ tls: 'self-signed', hosts: ['counts.example.org'] })
    for (const host of ['localhost', 'counts.example.org']) {
      const { status, headers } = await raw(port, 'GET', [`host: ${host}:${port}`])
      expect([status, headers.get('location')]).toEqual([308, `https://${host}:${tlsPort}/v1/counts?a=b%20c`])
    }
    expect((await raw(port, 'GET', ['host: evil.example'])).status).toBe(421)
    expect(passed).toEqual([])
  })

  test('refuses clicks and keys instead of redirecting them, which would keep sending them unencrypted', async () => {
    const { port, passed } = await startNginxUnderTest({ tls: 'self-signed' })
    const requests = [
      ['POST', ['host: localhost', 'content-length: 0']],
      ['GET', ['host: localhost', 'authorization: Bearer secret']],
    ] as const
    for (const [method, headers] of requests) {
      const { status, body } = await raw(port, method, headers)
      expect([status, JSON.parse(body)]).toMatchObject([403, { code: 'https_required', retryable: false }])
    }
    expect(passed).toEqual([])
  })

  test('is refused on the HTTPS port', async () => {
    const { tlsPort, passed } = await startNginxUnderTest({ tls: 'self-signed' })
    const { status, body } = await raw(tlsPort, 'GET', ['host: localhost'])
    expect([status, JSON.parse(body)]).toMatchObject([400, { code: 'bad_request' }])
    expect(passed).toEqual([])
  })

  test('is served to local programs on a separate port', async () => {
    const { internalPort, passed } = await startNginxUnderTest({ tls: 'self-signed' })
    const { status, headers } = await raw(internalPort, 'GET', ['host: localhost'])
    expect([status, headers.get('strict-transport-security')]).toEqual([200, undefined])
    expect(passed).toHaveLength(1)
  })
})

describe("with the operator's certificate", () => {
  test('HTTPS uses it', async () => {
    const { certificate, key } = await makeCertificate('counts.example.org')
    const nginx = await startNginxUnderTest({
      ...{ tls: 'certificate', tlsCertificate: certificate, tlsKey: key, hosts: ['counts.example.org'] },
    })
    expect((await get(nginx.tlsPort, readFileSync(certificate), 'counts.example.org')).status).toBe(200)
  })

  test('the start fails with the reason if it is invalid', async () => {
    const mine = await makeCertificate()
    const other = await makeCertificate()
    const broken = `${mine.key}.broken`
    writeFileSync(broken, 'no PEM')
    const start = (tlsCertificate: string, tlsKey: string) =>
      startNginxUnderTest({ tls: 'certificate', tlsCertificate, tlsKey })
    await expect(start(mine.certificate, other.key)).rejects.toThrow('does not belong to the certificate')
    await expect(start(mine.certificate, broken)).rejects.toThrow(`CLICKTALLY_TLS_KEY names ${broken}`)
    await expect(start(`${broken}er`, mine.key)).rejects.toThrow('CLICKTALLY_TLS_CERTIFICATE names')
    const old = 'openssl req -new -key "$0" -subj /CN=old | openssl x509 -req -key "$0" -days -1 -out "$1"'
    expect(await runCommand('sh', ['-c', old, mine.key, broken], { withinMs: 120_000 })).toMatchObject({ code: 0 })
    await expect(start(broken, mine.key)).rejects.toThrow('expired')
  })
})

test('without TLS, the HTTPS port is closed, and no header mentions HTTPS', async () => {
  const { port, tlsPort } = await startNginxUnderTest()
  await expect(get(tlsPort, Buffer.alloc(0), 'localhost')).rejects.toThrow('ECONNREFUSED')
  const { headers } = await rawRequest({
    port,
    text: 'GET /v1/counts HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
  })
  expect([headers.get('strict-transport-security'), headers.get('alt-svc')]).toEqual([undefined, undefined])
})
