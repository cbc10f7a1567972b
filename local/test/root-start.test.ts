import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { upstreamNames } from '@clicktally/system/parts.ts'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { localDir } from '../files/local-folder.ts'
import { makeScratchFolder } from '../files/scratch-folder.ts'
import { freePort } from '../ports.ts'
import { runCommand } from '../processes/run-command.ts'
import type { SupervisedProgram } from '../processes/supervised-program.ts'
import { type UnprivilegedUser, unprivilegedUser } from '../processes/unprivileged-user.ts'
import { findNginx, startNginx } from '../servers/nginx.ts'
import { defaultNginxSettings } from '../servers/nginx-settings.ts'
import { makeServerFolder, readServerFile, writeServerFiles } from '../servers/server-files.ts'

let scratch: string
let user: UnprivilegedUser

/** Only root can start servers as another user. */
describe.runIf(process.getuid?.() === 0)('a start by root', () => {
  beforeEach(async () => {
    scratch = await makeScratchFolder('root')
    onTestFinished(() => rmSync(scratch, { recursive: true, force: true }))
    user = await unprivilegedUser({ folders: [], programs: ['/bin/sh'] })
  })

  async function start(dir: string): Promise<SupervisedProgram> {
    const { program } = await startNginx({
      dir,
      upstreams: Object.fromEntries(upstreamNames.map((name) => [name, [1]])),
      settings: { ...defaultNginxSettings, listen: { host: '127.0.0.1', port: await freePort() } },
      pages: [{ path: 'index.html', content: Buffer.from('<!doctype html>') }],
      logPath: join(scratch, 'nginx.log'),
      supervision: { onLine: () => {} },
      installation: await findNginx({ toolsDir: localDir, onLine: () => {} }),
    })
    onTestFinished(() => program.stop())
    return program
  }

  /** Runs a command line as the user of the servers. */
  async function asServer(script: string): Promise<{ code: number; output: string }> {
    const { command, args } = user.commandLine('sh', ['-c', script])
    return await runCommand(command, args, { cwd: '/', withinMs: 120_000 })
  }

  test('writes nothing through a link that a server has put into its folder', async () => {
    const victim = join(scratch, 'victim')
    writeFileSync(victim, 'as it was')
    const dir = join(scratch, 'nginx')
    mkdirSync(dir)
    for (const name of ['nginx.conf', 'nginx.pid', 'client-body']) symlinkSync(victim, join(dir, name))
    rmSync(join(dir, 'nginx.pid'))
    rmSync(join(dir, 'client-body'))
    chownSync(dir, user.uid, user.gid)
    await start(dir)
    expect(readFileSync(victim, 'utf8')).toBe('as it was')
    expect(statSync(victim).uid).toBe(0)
  })

  test('keeps configuration where the server can read it and not change it', async () => {
    const dir = join(scratch, 'nginx')
    await start(dir)
    const configuration = `${dir}.config/nginx.conf`
    expect((await asServer(`cat ${configuration}`)).code).toBe(0)
    for (const act of [
      `echo >> ${configuration}`,
      `mv ${configuration} ${dir}/x`,
      `rm -f ${configuration}`,
      `touch ${dir}.config/x`,
    ]) {
      expect((await asServer(act)).code, act).not.toBe(0)
    }
  })

  test('runs servers without capabilities and without a way to gain any', async () => {
    const { pid } = await start(join(scratch, 'nginx'))
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const fieldOf = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1]
    expect(fieldOf('Uid')).toBe(String(user.uid))
    expect(fieldOf('NoNewPrivs')).toBe('1')
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
      expect([set, Number(`0x${fieldOf(set)}`)]).toEqual([set, 0])
  })

  test('gives a server on a low port the only capability that it needs', async () => {
    const low = await unprivilegedUser({ folders: [], programs: ['/bin/sh'], lowPort: true })
    const { command, args } = low.commandLine('grep', ['Cap[PE]', '/proc/self/status'])
    const { output } = await runCommand(command, args, { cwd: '/', withinMs: 120_000 })
    const bindService = 1 << 10
    expect([...output.matchAll(/Cap(?:Prm|Eff):\s+(\w+)/g)].map(([, hex]) => Number(`0x${hex}`))).toEqual([
      bindService,
      bindService,
    ])
  })

  test('is refused below a folder that others cannot enter, with its name and what to do', async () => {
    const closed = join(scratch, 'closed')
    mkdirSync(join(closed, 'data'), { recursive: true })
    chmodSync(closed, 0o700)
    await expect(unprivilegedUser({ folders: [join(closed, 'data')], programs: [] })).rejects.toThrow(
      new RegExp(`Start as an ordinary user, or put the clone .*others cannot enter ${closed}\\b`),
    )
    chmodSync(closed, 0o711)
    await expect(unprivilegedUser({ folders: [join(closed, 'data')], programs: [] })).resolves.toMatchObject({
      changes: true,
    })
  })

  test("is refused where others could change a server's configuration", () => {
    for (const [name, uid, mode] of [
      ['foreign', user.uid, 0o755],
      ['open', 0, 0o777],
    ] as const) {
      const folder = join(scratch, name)
      mkdirSync(folder)
      chownSync(folder, uid, user.gid)
      chmodSync(folder, mode)
      expect(() => writeServerFiles(folder, [{ path: 'x', content: '' }], user), name).toThrow(
        'no other user can write to',
      )
      expect(() => makeServerFolder(join(folder, 'data'), user), name).toThrow('no other user can write to')
    }
  })

  test('is refused when the data belong to another user, and changes no owner', () => {
    const folder = join(scratch, 'data')
    mkdirSync(folder)
    expect(() => makeServerFolder(folder, user)).toThrow(`chown -R ${user.uid}:`)
    expect(lstatSync(folder).uid).toBe(0)
  })

  test('only the server can read its secrets', async () => {
    const folder = join(scratch, 'server.config')
    writeServerFiles(folder, [{ path: 'home/cookie', content: 'c', ownedByServer: true }], user)
    const { uid, mode } = statSync(join(folder, 'home/cookie'))
    expect([uid, (mode & 0o777).toString(8)]).toEqual([user.uid, '400'])
    expect((await asServer(`cat ${folder}/home/cookie`)).output).toBe('c')
    expect((await asServer(`mv ${folder}/home ${folder}/other`)).code).not.toBe(0)
  })

  test('reads neither a link nor a pipe that a server has put in the place of a file', async () => {
    writeFileSync(join(scratch, 'secret'), 'secret')
    symlinkSync(join(scratch, 'secret'), join(scratch, 'link'))
    await runCommand('mkfifo', [join(scratch, 'pipe')], { withinMs: 120_000 })
    expect(readServerFile(join(scratch, 'secret'))).toBe('secret')
    for (const name of ['link', 'pipe', 'missing']) expect(readServerFile(join(scratch, name)), name).toBeUndefined()
  })
})
