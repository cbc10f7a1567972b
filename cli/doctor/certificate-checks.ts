import { connect } from 'node:tls'
import { type Finding, finding, grade } from './finding.ts'

const noticeDays = 21
const problemDays = 3
const timeoutMs = 10_000

/** How long the certificate of an HTTPS address is valid. Whether a client trusts it is not checked. */
export async function checkCertificate(url: URL): Promise<readonly Finding[]> {
  const check = `certificate of ${url.host}`
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const validTo = await readExpiry(host, Number(url.port || 443))
  const days = Math.floor((validTo.getTime() - Date.now()) / 86_400_000)
  const found = days < 0 ? `expired ${-days} days ago` : `is valid for ${days} days`
  return [
    finding(
      check,
      grade(-days, -noticeDays, -problemDays),
      found,
      'Renew it. With CLICKTALLY_TLS=acme nginx does that: see its log.',
    ),
  ]
}

async function readExpiry(host: string, port: number): Promise<Date> {
  return await new Promise((resolve, reject) => {
    // An expired or self-signed certificate is what we want to see.
    const socket = connect({ host, port, servername: /^[\d.:]+$/.test(host) ? '' : host, rejectUnauthorized: false })
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      resolve(new Date(socket.getPeerCertificate().valid_to))
      socket.destroy()
    })
  })
}
