import { expect, test } from 'vitest'
import { createAuth } from './auth-under-test.ts'

type Auth = Awaited<ReturnType<typeof createAuth>>

const stepOf = (auth: Auth) => async (cell: string, state: string) => {
  const { status, body } = await auth.asOwner('PUT', '/v1/projects/default/cell', { cell, state })
  return status === 200 ? { cell: body.cell, from: body.moving?.from ?? null } : body.code
}
/** As if the move had been announced a minute ago. */
const wait = (auth: Auth) =>
  auth.owner.query(`update projects set moving_since = moving_since - interval '61 s' where moving_since is not null`)

test('a project moves in three steps, each of which may be repeated', async () => {
  const auth = await createAuth({ cells: ['home', 'eu'] })
  const step = stepOf(auth)
  expect(await step('eu', 'moving')).toBe('project_moving')
  expect(await step('home', 'announced')).toEqual({ cell: 'home', from: 'home' })
  expect(await step('home', 'announced')).toEqual({ cell: 'home', from: 'home' })
  // Some api may not know of it yet.
  expect(await step('eu', 'moving')).toBe('project_moving')
  await wait(auth)
  expect(await step('eu', 'moving')).toEqual({ cell: 'eu', from: 'home' })
  expect(await step('eu', 'moving')).toEqual({ cell: 'eu', from: 'home' })
  expect(await step('home', 'settled')).toBe('project_moving')
  expect(await step('eu', 'settled')).toEqual({ cell: 'eu', from: null })
  expect(await step('eu', 'settled')).toEqual({ cell: 'eu', from: null })
  expect((await auth.audit()).filter(({ action }) => action === 'project.move').map(({ detail }) => detail)).toEqual([
    { cell: 'eu', state: 'settled' },
    { cell: 'eu', state: 'moving' },
    { cell: 'home', state: 'announced' },
  ])
})

test('a move is announced only from the cell that the project is in', async () => {
  const auth = await createAuth({ cells: ['home', 'eu', 'us'] })
  const step = stepOf(auth)
  await step('home', 'announced')
  await wait(auth)
  await step('eu', 'moving')
  await step('eu', 'settled')
  // By a command that began to copy clicks to us when they were at home.
  expect(await step('home', 'announced')).toBe('project_moving')
  expect(await step('eu', 'announced')).toEqual({ cell: 'eu', from: 'eu' })
  expect(await step('home', 'announced')).toBe('project_moving')
})

test('a move that was only announced can be given up, and one that has begun cannot change its target', async () => {
  const auth = await createAuth({ cells: ['home', 'eu', 'us'] })
  const step = stepOf(auth)
  await step('home', 'announced')
  expect(await step('home', 'settled')).toEqual({ cell: 'home', from: null })
  await step('home', 'announced')
  await wait(auth)
  await step('eu', 'moving')
  expect(await step('us', 'moving')).toBe('project_moving')
  expect(await step('home', 'moving')).toBe('project_moving')
  expect(await step('asia', 'moving')).toBe('cell_unknown')
})

test('while a project moves, the age of its raw clicks can be removed but not set', async () => {
  const auth = await createAuth({ cells: ['home', 'eu'] })
  const step = stepOf(auth)
  const keep = async (keepRawDays: number | null) =>
    (await auth.asOwner('PATCH', '/v1/projects/default', { keepRawDays })).body
  await keep(30)
  await step('home', 'announced')
  expect(await keep(10)).toMatchObject({ code: 'project_moving', field: 'keepRawDays' })
  expect(await keep(null)).toMatchObject({ keepRawDays: null })
  await wait(auth)
  await step('eu', 'moving')
  expect(await keep(10)).toMatchObject({ code: 'project_moving' })
  await step('eu', 'settled')
  expect(await keep(10)).toMatchObject({ keepRawDays: 10 })
})
