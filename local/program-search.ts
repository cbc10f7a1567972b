import { accessSync, constants, globSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { childEnvironment } from './child-environment.ts'

/** Where servers are that an ordinary user's PATH often leaves out: Debian's sbin, and Homebrew's folders. */
const besidesPath = [
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

/** The programs of that name that this machine has, the one on PATH first. */
export function findPrograms(name: string): string[] {
  const folders = [
    ...(childEnvironment().PATH ?? '').split(delimiter),
    ...besidesPath.flatMap((each) => globSync(each)),
  ]
  const paths = folders.filter((folder) => folder !== '').map((folder) => join(folder, name))
  return [...new Set(paths)].filter(isProgram)
}

/** Whether there is a file at this path that may be run. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
