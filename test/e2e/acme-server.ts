import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { unpackedPackage } from '@clicktally/local/installation/debian-packages.ts'
import { findPrograms } from '@clicktally/local/installation/program-search.ts'
import { freePort } from '@clicktally/local/ports.ts'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import { until } from '@clicktally/testing/until.ts'
import { onTestFinished } from 'vitest'
import { makeCertificate } from './self-signed-certificate.ts'

export interface AcmeServer {
  /**
   * Gets a certificate with the ACME client lego, or renews it.
   * @param webroot where it writes the answers to the server's challenges
   * @returns the paths of the PEM files, which a renewal replaces
   */
  certificate(command: 'run' | 'renew', webroot: string): Promise<{ certificate: string; key: string }>
}

/**
 * Starts Pebble, the test server of Let's Encrypt, which looks for the answers to its challenges at this port of 127.0.0.1, whatever the
 * name. From PATH or from Debian's packages. It is stopped when the test ends.
 */
export async function startAcmeServer(host: string, httpPort: number): Promise<AcmeServer> {
  const { dir, certificate, key } = await makeCertificate()
  const [pebble, challenges, lego] = await Promise.all([
    program('pebble', 'pebble'),
    program('pebble-challtestsrv', 'pebble'),
    program('lego', 'lego'),
  ])
  const [port, managementPort] = [await freePort(), await freePort()]
  const [dnsPort, dnsManagementPort] = [await freePort(), await freePort()]
  const address = `127.0.0.1:${port}`
  const config = {
    ...{ listenAddress: address, managementListenAddress: `127.0.0.1:${managementPort}`, certificate, privateKey: key },
    ...{ httpPort, tlsPort: 1, ocspResponderURL: '', externalAccountBindingRequired: false },
  }
  await writeFile(join(dir, 'config.json'), JSON.stringify({ pebble: config }))
  start(challenges, [
    ...['-dns01', `127.0.0.1:${dnsPort}`, '-management', `127.0.0.1:${dnsManagementPort}`, '-defaultIPv6', ''],
    ...['-http01', '', '-https01', '', '-tlsalpn01', ''],
  ])
  start(pebble, ['-config', join(dir, 'config.json'), '-dnsserver', `127.0.0.1:${dnsPort}`], {
    PEBBLE_VA_NOSLEEP: '1',
    PEBBLE_WFE_NONCEREJECT: '0',
  })
  const env = { ...process.env, LEGO_CA_CERTIFICATES: certificate }
  const client = [
    ...['--server', `https://${address}/dir`, '--accept-tos', '--email', 'operator@example.org'],
    ...['--domains', host, '--path', dir, '--http', '--http.webroot'],
  ]
  for (const each of [port, dnsManagementPort]) await until(() => listens(each), `port ${each} to accept connections`)
  return {
    certificate: async (command, webroot) => {
      const days = command === 'renew' ? ['--days', '100000', '--no-random-sleep'] : []
      const { code, output } = await runCommand(lego, [...client, webroot, command, ...days], {
        env,
        withinMs: 600_000,
      })
      if (code !== 0) throw new Error(`lego ${command}: ${output}`)
      const files = join(dir, 'certificates', host)
      return { certificate: `${files}.crt`, key: `${files}.key` }
    },
  }
}

async function program(name: string, packageName: string): Promise<string> {
  const [found] = findPrograms(name)
  if (found !== undefined) return found
  const dir = join(localDir, 'debian')
  return join(await unpackedPackage({ package: packageName, dir, onLine: () => {} }), 'usr/bin', name)
}

function start(program: string, args: readonly string[], env: Record<string, string> = {}): void {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.on('error', () => resolve(false)).on('close', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
