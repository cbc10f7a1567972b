import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from '../problem.ts'
import { hasDebianPackages, unpackedPackage } from './debian-packages.ts'
import { type FindOptions, howToInstall } from './installation-advice.ts'
import { findPrograms, isProgram } from './program-search.ts'

/** The paths of the programs. */
export interface PrometheusInstallation {
  readonly prometheus: string
  readonly promtool: string
  readonly alertmanager: string
  /** The folder with the templates of notifications that Alertmanager must have in its working folder; none if it has its own. */
  readonly templates: string | undefined
}

/**
 * Prometheus and Alertmanager from PATH or Homebrew's folders; otherwise, on Debian and Ubuntu, the distribution's packages,
 * unpacked.
 * @throws Problem that tells what to install.
 */
export async function findPrometheus(options: FindOptions): Promise<PrometheusInstallation> {
  const [prometheus] = findPrograms('prometheus')
  const [promtool] = findPrograms('promtool')
  // Debian's name has a prefix.
  const [alertmanager] = [...findPrograms('alertmanager'), ...findPrograms('prometheus-alertmanager')]
  const server = prometheus && promtool ? { prometheus, promtool } : await unpackedPrometheus(options)
  return alertmanager
    ? { ...server, alertmanager, templates: undefined }
    : { ...server, ...(await unpackedAlertmanager(options)) }
}

async function unpackedPrometheus(options: FindOptions) {
  const root = await unpack(options, 'prometheus')
  return { prometheus: programIn(root, 'prometheus'), promtool: programIn(root, 'promtool') }
}

/** Where Debian's Alertmanager reads its templates and pages. */
const systemFolder = '/usr/share/prometheus/alertmanager'
/** The same length: the working folder. */
const workingFolder = './'.repeat(systemFolder.length / 2)

/** Debian's Alertmanager reads its templates from a folder of the system, which is missing. In this copy it is the working folder. */
async function unpackedAlertmanager(options: FindOptions) {
  const root = await unpack(options, 'prometheus-alertmanager')
  const folder = join(root, 'clicktally-bin')
  const alertmanager = join(folder, 'alertmanager')
  const templates = join(root, systemFolder)
  if (!existsSync(join(templates, 'default.tmpl')))
    return { alertmanager: programIn(root, 'prometheus-alertmanager'), templates: undefined }
  if (!isProgram(alertmanager)) {
    const program = readFileSync(programIn(root, 'prometheus-alertmanager'))
    for (let at = program.indexOf(systemFolder); at !== -1; at = program.indexOf(systemFolder, at)) {
      program.write(workingFolder, at, 'latin1')
    }
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${alertmanager}.tmp`, program)
    chmodSync(`${alertmanager}.tmp`, 0o755)
    renameSync(`${alertmanager}.tmp`, alertmanager)
  }
  return { alertmanager, templates }
}

async function unpack({ toolsDir, ...options }: FindOptions, name: string): Promise<string> {
  if (!hasDebianPackages()) throw new Problem(howToInstall(name, name))
  return await unpackedPackage({ ...options, package: name, dir: join(toolsDir, 'debian') })
}

function programIn(root: string, name: string): string {
  const path = join(root, 'usr/bin', name)
  if (isProgram(path)) return path
  throw new Problem(`The unpacked packages in ${root} contain no ${name}. Remove the folder and start again.`)
}
