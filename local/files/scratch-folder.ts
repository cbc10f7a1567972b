import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Creates a temporary folder for a system or a server. Other users may enter and list it, because servers that root starts run as
 * another user. Secrets in it are in folders of mode 0700.
 */
export async function makeScratchFolder(name: string, parent = tmpdir()): Promise<string> {
  const dir = await mkdtemp(join(parent, `clicktally-${name}-`))
  await chmod(dir, 0o755)
  return dir
}
