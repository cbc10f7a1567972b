import { accessSync, constants, globSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { childEnvironment } from '../services/child-environment.ts'

/** Folders that an ordinary user's PATH often lacks: Debian's sbin and Homebrew's folders. */
const moreFolders = [
  '/usr/local/sbin',
  '/usr/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/homebrew/sbin',
  '/opt/homebrew/opt/{rabbitmq,nginx}/{sbin,bin}',
  '/opt/homebrew/opt/erlang{,@*}/bin',
  '/usr/local/opt/{rabbitmq,nginx}/{sbin,bin}',
  '/usr/local/opt/erlang{,@*}/bin',
]

/** The paths of all programs of that name on this machine, the one on PATH first. */
export function findPrograms(name: string): string[] {
  const folders = [
    ...(childEnvironment().PATH ?? '').split(delimiter),
    ...moreFolders.flatMap((each) => globSync(each)),
  ]
  const paths = folders.filter((folder) => folder !== '').map((folder) => join(folder, name))
  return [...new Set(paths)].filter(isProgram)
}

/** Whether the path is an executable file. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
