import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cloneDir } from '../files/local-folder.ts'
import { Problem } from '../problem.ts'
import { lastLines, runCommand } from '../processes/run-command.ts'
import type { NginxSettings } from './nginx-settings.ts'

/** PEM texts. */
export interface TlsFiles {
  /** With the intermediate certificates after it. */
  readonly certificate: string
  readonly key: string
}

/**
 * The certificate and key that nginx serves with; undefined without TLS. A self-signed one is made in `folder`, and kept there.
 * @throws Problem when there is none, or when nginx could not use it.
 */
export async function tlsFiles(
  { tls, tlsCertificate = '', tlsKey = '', hosts }: NginxSettings,
  folder: string,
): Promise<TlsFiles | undefined> {
  if (tls === 'off') return undefined
  if (tls === 'certificate') return readTlsFiles(tlsCertificate, tlsKey)
  const script = join(cloneDir, 'infra/nginx/self-signed.sh')
  const { code, output } = await runCommand('sh', [script, folder, ...hosts], { withinMs: 60_000 })
  if (code !== 0) {
    throw new Problem(`No self-signed certificate could be made. It needs the program openssl.\n${lastLines(output)}`)
  }
  return readTlsFiles(join(folder, 'certificate.pem'), join(folder, 'key.pem'))
}

function readTlsFiles(certificatePath: string, keyPath: string): TlsFiles {
  const certificate = read('CLICKTALLY_TLS_CERTIFICATE', certificatePath, (text) => new X509Certificate(text))
  const key = read('CLICKTALLY_TLS_KEY', keyPath, createPrivateKey)
  if (!certificate.parsed.checkPrivateKey(key.parsed)) {
    throw new Problem(`The key in ${keyPath} does not belong to the certificate in ${certificatePath}.`)
  }
  if (certificate.parsed.validToDate.getTime() <= Date.now()) {
    throw new Problem(`The certificate in ${certificatePath} expired on ${certificate.parsed.validTo}.`)
  }
  return { certificate: certificate.text, key: key.text }
}

function read<Parsed>(name: string, path: string, parse: (text: string) => Parsed): { text: string; parsed: Parsed } {
  try {
    const text = readFileSync(path, 'utf8')
    return { text, parsed: parse(text) }
  } catch (error) {
    throw new Problem(`${name} names ${path}, which is no such PEM file: ${(error as Error).message}`)
  }
}
