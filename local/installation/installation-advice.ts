import { globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findPrograms } from './program-search.ts'

export interface FindOptions {
  /** The clone's `.local`, where packages are unpacked. */
  toolsDir: string
  onLine(line: string): void
  signal?: AbortSignal | undefined
}

const installers = [
  { program: 'brew', command: 'brew install' },
  { program: 'dnf', command: 'sudo dnf install' },
  { program: 'pacman', command: 'sudo pacman -S' },
  { program: 'zypper', command: 'sudo zypper install' },
  { program: 'apk', command: 'sudo apk add' },
] as const

/** The message for a server that is missing and cannot be fetched, with the install command for this system if it is known. */
export function howToInstall(server: string, packageName: string): string {
  const installer = installers.find(({ program }) => findPrograms(program).length > 0)
  const advice = installer
    ? `Install it and start again: ${installer.command} ${packageName}`
    : process.platform === 'darwin'
      ? `Install Homebrew (https://brew.sh), then: brew install ${packageName}`
      : `Install it so that it is on PATH, and start again.`
  return (
    `${server} is not on PATH, and can be fetched automatically only on Debian and Ubuntu. ${advice}\n` +
    'Or run everything in containers: docker compose up --build --wait'
  )
}

/** The variable with which programs in an unpacked folder find their libraries. */
export function unpackedLibraries(root: string): { LD_LIBRARY_PATH: string } {
  const folders = globSync('{lib,usr/lib}/*-linux-gnu*{,/pulseaudio}', { cwd: root }).map((folder) =>
    join(root, folder),
  )
  return { LD_LIBRARY_PATH: folders.join(delimiter) }
}
