import { join } from 'node:path'
import { nodeService } from '@clicktally/local/node-services.ts'
import { freePort } from '@clicktally/local/ports.ts'
import { SupervisedProgram } from '@clicktally/local/supervised-program.ts'
import { unprivilegedUser } from '@clicktally/local/unprivileged-user.ts'
import type { Stage } from './measurement.ts'

/** One of those that Clicktally is compared with, as a process of its own. */
export interface PeerProgram {
  readonly url: string
  readonly program: SupervisedProgram
}

/**
 * Starts it as the services are started, and resolves when it says that it is ready.
 *
 * @param entry of its file, from the folder `peers`
 */
export async function startPeer(
  entry: string,
  variables: Record<string, string>,
  { dir, signal }: Pick<Stage, 'dir' | 'signal'>,
): Promise<PeerProgram> {
  const user = await unprivilegedUser({ folders: [import.meta.dirname], programs: [process.execPath] })
  const port = await freePort()
  const name = entry.replace(/\.ts$/, '')
  const service = {
    name,
    entry: `bench/peers/${entry}`,
    port,
    variables: { LOG_LEVEL: 'info', ...variables },
    logPath: join(dir, `${name}.log`),
    user,
  }
  const program = new SupervisedProgram(nodeService(service), { onLine: () => {} })
  await program.start(signal)
  return { url: `http://127.0.0.1:${port}`, program }
}
