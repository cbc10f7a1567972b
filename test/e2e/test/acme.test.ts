import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { hasDebianPackages } from '@clicktally/local/installation/debian-packages.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { expect, test, vi } from 'vitest'
import { startAcmeServer } from '../acme-server.ts'
import { startNginxUnderTest } from '../nginx-under-test.ts'
import { rawRequest } from '../raw-request.ts'
import { makeCertificate } from '../self-signed-certificate.ts'

const host = 'counts.example.org'

async function startWithCertificate() {
  const { certificate, key } = await makeCertificate(host)
  const files = { tlsCertificate: certificate, tlsKey: key }
  return { ...(await startNginxUnderTest({ tls: 'certificate', ...files, hosts: [host] })), ...files }
}

/** The certificate of a new connection. */
function served(port: number): Promise<{ issuer: string; serial: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: host, rejectUnauthorized: false })
    socket.on('error', reject).on('secureConnect', () => {
      const { issuer, serialNumber } = socket.getPeerCertificate()
      resolve({ issuer: String(issuer.CN), serial: serialNumber })
      socket.destroy()
    })
  })
}

function statusOf(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/v1/counts', servername: host, headers: { host }, agent: false }
    request({ ...options, rejectUnauthorized: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    })
      .on('error', reject)
      .end()
  })
}

test.skipIf(!hasDebianPackages())(
  'an ACME client gets a certificate while nginx runs, and renews it without a failed request',
  async () => {
    const { dir, port, tlsPort, tlsCertificate, tlsKey, lines } = await startWithCertificate()
    expect(await served(tlsPort)).toMatchObject({ issuer: 'Clicktally' })
    const acme = await startAcmeServer(host, port)
    const statuses: (number | string | undefined)[] = []
    let isDone = false
    const requests = (async () => {
      while (!isDone) {
        statuses.push(await statusOf(tlsPort).catch((error) => String(error)))
        await sleep(20)
      }
    })()
    const serials = new Set<string>()
    for (const command of ['run', 'renew'] as const) {
      const files = await acme.certificate(command, join(dir, 'acme-challenges'))
      await copyFile(files.key, tlsKey)
      await copyFile(files.certificate, tlsCertificate)
      const { serialNumber, issuer } = new X509Certificate(readFileSync(files.certificate))
      expect(issuer).toContain('Pebble')
      await vi.waitFor(async () => expect((await served(tlsPort)).serial).toBe(serialNumber), patience)
      serials.add(serialNumber)
    }
    isDone = true
    await requests
    expect(serials.size).toBe(2)
    expect(statuses.length).toBeGreaterThan(1)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(lines).toEqual(['nginx serves the new certificate', 'nginx serves the new certificate'])
  },
)

test('a certificate that cannot be used is not served, and the reason is told once', async () => {
  const { tlsPort, tlsCertificate, lines } = await startWithCertificate()
  const { serial } = await served(tlsPort)
  const { certificate: other } = await makeCertificate(host)
  await copyFile(other, tlsCertificate)
  await vi.waitFor(() => expect(lines).toHaveLength(1), patience)
  await writeFile(tlsCertificate, 'no PEM')
  await vi.waitFor(() => expect(lines).toHaveLength(2), patience)
  expect(lines[0]).toMatch(/^the certificate of before stays in use: The key in .* does not belong to the certificate/)
  expect(lines[1]).toContain('no such PEM file')
  expect((await served(tlsPort)).serial).toBe(serial)
})

test('there are no challenges but those that a client wrote', async () => {
  const { dir, port } = await startWithCertificate()
  const folder = join(dir, 'acme-challenges/.well-known/acme-challenge')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'token'), 'answer')
  const get = (path: string, method = 'GET') =>
    rawRequest({
      port,
      text: `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    })
  const found = await get('/.well-known/acme-challenge/token')
  expect([found.status, found.body, found.headers.get('content-type')]).toEqual([200, 'answer', 'text/plain'])
  await writeFile(join(dir, 'acme-challenges/file'), 'text')
  for (const path of ['', 'other', 'token/']) {
    const { status, body } = await get(`/.well-known/acme-challenge/${path}`)
    expect(status, path).toBe(404)
    expect(JSON.parse(body)).toMatchObject({ status, retryable: false })
  }
  expect((await get('/.well-known/acme-challenge/token', 'POST')).status).toBe(404)
  for (const path of ['../../file', '%2e%2e/%2e%2e/file', '../../../nginx.log', '../../..%2fnginx.log'])
    expect((await get(`/.well-known/acme-challenge/${path}`)).body, path).not.toContain('text')
})
