import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Code that runs in a system, as opposed to tests and tools. */
const isProduction = (file: string) =>
  /^(services|packages|clients|cli|local|migrations|infra|web)\//.test(file) && !isTest(file)
const isTest = (file: string) => /(^|\/)test\//.test(file)

/** What a browser may load: packages or files of packages, and the npm packages that they may use. */
const browserSafe = [
  'packages/event/',
  'packages/operations/',
  'packages/keys/roles.ts',
  'packages/system/cells.ts',
  'npm:typebox',
]
const isBrowserSafe = (path: string) => browserSafe.some((safe) => path.startsWith(safe))

/** Biome formats the code, so each import begins a line and has single quotes. Matches type-only imports too. */
const importPattern = /^(?:import|export)\s[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\(\s*'([^']+)'/gm

interface Package {
  readonly folder: string
  readonly name: string
  readonly dependencies: readonly string[]
}

interface Import {
  /** The importing file, relative to the root. */
  readonly from: string
  /** The imported file, relative to the root, or `node:…`, or `npm:…` with the name of a package. */
  readonly to: string
}

/**
 * Checks the imports of all modules below `root`, type-only imports included: none breaks a rule of brokenRule(), and there
 * are no cycles.
 *
 * @returns a line for each violation.
 */
export function importViolations(root: string): string[] {
  const list = (pattern: string) =>
    globSync(pattern, { cwd: root, exclude: ['**/node_modules', '**/dist', '.local'] }).sort()
  const read = (file: string) => readFileSync(join(root, file), 'utf8')
  const packages = list('**/package.json').map((file): Package => {
    const { name, dependencies = {} } = JSON.parse(read(file))
    return { folder: dirname(file), name, dependencies: Object.keys(dependencies) }
  })
  const imports = list('**/*.{ts,tsx,mjs}').flatMap((from) =>
    [...read(from).matchAll(importPattern)].map(([, ...specifiers]): Import => {
      const specifier = specifiers.find((each) => each !== undefined) as string
      return { from, to: resolve(from, specifier, packages) }
    }),
  )
  const violations = imports.flatMap((each) => {
    const rule = brokenRule(each, packages)
    return rule === undefined ? [] : [`${each.from} imports ${each.to}: ${rule}`]
  })
  return [...violations, ...importCycles(imports).map((cycle) => `import cycle: ${cycle.join(' → ')}`)]
}

/** The rule that an import breaks, if any. */
function brokenRule({ from, to }: Import, packages: readonly Package[]): string | undefined {
  if (!isProduction(from)) return undefined
  if (isBrowserSafe(from) && !isBrowserSafe(to)) return 'what a browser may load imports only what a browser may load'
  // A client is published without the rest, and runs in browsers too.
  if (from.startsWith('clients/'))
    return to.startsWith(`${ownerOf(from, packages).folder}/`) ? undefined : 'a client imports only its own files'
  if (to.startsWith('node:')) return undefined
  const { folder, dependencies } = ownerOf(from, packages)
  if (to.startsWith('npm:')) {
    return dependencies.includes(to.slice(4)) ? undefined : `${folder}/package.json does not list it as a dependency`
  }
  if (!isProduction(to)) return 'production code imports no tests or tools'
  if (from.startsWith('packages/') && !to.startsWith('packages/')) return 'a package imports only packages'
  if (to.startsWith('services/') && ownerOf(to, packages).folder !== folder) return 'no other code imports a service'
  return undefined
}

/** The innermost package that contains the file. */
function ownerOf(file: string, packages: readonly Package[]): Package {
  const owners = packages.filter(({ folder }) => folder === '.' || file.startsWith(`${folder}/`))
  const owner = owners.toSorted((a, b) => b.folder.length - a.folder.length)[0]
  if (owner === undefined) throw new Error(`no package contains ${file}`)
  return owner
}

function resolve(from: string, specifier: string, packages: readonly Package[]): string {
  if (specifier.startsWith('node:')) return specifier
  if (specifier.startsWith('.')) return join(dirname(from), specifier)
  const [name] = /^(@[^/]+\/)?[^/]+/.exec(specifier) as [string]
  const own = packages.find((each) => each.name === name)
  return own === undefined ? `npm:${name}` : join(own.folder, specifier.slice(name.length))
}

/** At least one of the cycles, if there are any. */
function importCycles(imports: readonly Import[]): string[][] {
  const importsOf = Map.groupBy(imports, ({ from }) => from)
  const cycles: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string) => {
    const start = path.indexOf(file)
    if (start !== -1) cycles.push([...path.slice(start), file])
    if (start !== -1 || done.has(file)) return
    path.push(file)
    for (const { to } of importsOf.get(file) ?? []) visit(to)
    path.pop()
    done.add(file)
  }
  for (const file of importsOf.keys()) visit(file)
  return cycles
}
