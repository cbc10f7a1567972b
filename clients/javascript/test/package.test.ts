import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createBench, drain, keys } from '@clicktally/ingest/test/ingest-under-test.ts'
import { expect, onTestFinished, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const run = (cwd: string, program: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, [join(root, program), ...args], { cwd })

/** Packs the package as it would be published, and unpacks it into a project. Returns the folder of the project. */
async function installed(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'clicktally-client-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const pnpm = '.local/tools/pnpm/node_modules/pnpm/bin/pnpm.mjs'
  await run(join(import.meta.dirname, '..'), pnpm, 'pack', '--pack-destination', dir)
  const [archive = ''] = await readdir(dir)
  const packageDir = join(dir, 'node_modules/@clicktally/client')
  await mkdir(packageDir, { recursive: true })
  await promisify(execFile)('tar', ['-xzf', join(dir, archive), '--strip-components', '1', '-C', packageDir])
  await writeFile(join(dir, 'package.json'), '{ "type": "module" }')
  return dir
}

test('the published package has compiled code, types and no dependencies; it sends from Node', async () => {
  const dir = await installed()
  const packageDir = join(dir, 'node_modules/@clicktally/client')
  expect((await readdir(packageDir)).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json'])
  const manifest = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8'))
  expect(manifest.dependencies).toBeUndefined()
  expect(manifest.exports).toEqual({ '.': { types: './dist/index.d.ts', default: './dist/index.js' } })

  const { app, broker } = await createBench()
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const program = `
    import { ClickSender, CountReader, type Counts } from '@clicktally/client'
    await using clicks = new ClickSender({ url: '${url}', key: '${keys.secret.text}' })
    const id: string = clicks.click('signup', { props: { plan: 'pro' } })
    export const read = (): Promise<Counts> => new CountReader({ url: '${url}', key: 'ct_r_…' }).counts({ target: [id] })
  `
  await writeFile(join(dir, 'program.ts'), program)
  const types = ['--noEmit', '--strict', '--lib', 'esnext,dom', '--types', '', '--target', 'esnext']
  await run(dir, 'node_modules/typescript/bin/tsc', ...types, '--module', 'nodenext', 'program.ts')
  await promisify(execFile)(process.execPath, ['program.ts'], { cwd: dir })
  expect((await drain(broker)).clicks).toMatchObject([{ target: 'signup', props: { plan: 'pro' } }])
})
