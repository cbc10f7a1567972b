import type { TlsFiles } from './tls-files.ts'

export interface CertificateWatchOptions {
  readonly served: TlsFiles
  /** Rejects with the reason if the files cannot be used. */
  read(): Promise<TlsFiles>
  /** Serves with these files from now on. */
  serve(files: TlsFiles): void
  onLine(line: string): void
  readonly everyMs: number
}

/**
 * Serves with a certificate that has been replaced, for example by an ACME client. What cannot be used is told once and not served;
 * certificate and key that do not match are told only when they are found twice, because they are not replaced at once.
 *
 * @returns ends the watch
 */
export function watchCertificate({ served, read, serve, onLine, everyMs }: CertificateWatchOptions): () => void {
  let last = served
  let failure: string | undefined
  let told: string | undefined
  const look = async () => {
    try {
      const files = await read()
      if (files.certificate !== last.certificate || files.key !== last.key) {
        serve(files)
        last = files
        onLine('nginx serves the new certificate')
      }
      failure = undefined
      told = undefined
    } catch (error) {
      const { message } = error as Error
      if (message === failure && message !== told) {
        onLine(`the certificate of before stays in use: ${message}`)
        told = message
      }
      failure = message
    }
  }
  let timer: NodeJS.Timeout
  const lookLater = () => {
    timer = setTimeout(() => void look().finally(() => !isEnded && lookLater()), everyMs).unref()
  }
  let isEnded = false
  lookLater()
  return () => {
    isEnded = true
    clearTimeout(timer)
  }
}
