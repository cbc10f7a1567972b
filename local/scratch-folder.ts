import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A new folder, in the system's folder for temporary files or in another, for a system or a server of its own. Others may
 * enter and list it: where root starts the servers, they run as another user. What is secret in it is in folders of mode 0700.
 */
export async function makeScratchFolder(name: string, parent = tmpdir()): Promise<string> {
  const dir = await mkdtemp(join(parent, `clicktally-${name}-`))
  await chmod(dir, 0o755)
  return dir
}
