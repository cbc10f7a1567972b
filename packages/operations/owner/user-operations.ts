import { userRoles } from '@clicktally/keys/roles.ts'
import Type, { type Static } from 'typebox'
import { conflict, missing, noContent, refusals } from './responses.ts'
import { closed, id, params, Time } from './values.ts'

const Email = Type.String({
  minLength: 3,
  maxLength: 254,
  pattern: '^[^\\s@\\u0000-\\u001f]+@[^\\s@\\u0000-\\u001f]+$',
})
export const passwordLimits = { least: 12, most: 256 } as const
const Password = Type.String({ minLength: passwordLimits.least, maxLength: passwordLimits.most })

const exampleUser = {
  ...{ id: '3', email: 'ann@example.org', role: 'auditor' },
  ...{ createdAt: '2026-11-28T10:00:00.000Z', status: 'invited' },
} as const

export const User = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    role: Type.Enum([...userRoles]),
    createdAt: Time,
    status: Type.Enum(['invited', 'active', 'disabled']),
  },
  { title: 'User', examples: [exampleUser] },
)
export type User = Static<typeof User>

/** A link with which a user sets a password. It works once. */
export const PasswordLink = Type.Object(
  {
    user: User,
    token: Type.String({
      description: 'Give the user the link <server>/password#<token>, or this token for POST /v1/password.',
    }),
    expiresAt: Time,
  },
  {
    title: 'PasswordLink',
    examples: [{ user: exampleUser, token: 'tq8X…', expiresAt: '2026-11-30T10:00:00.000Z' }],
  },
)
export type PasswordLink = Static<typeof PasswordLink>

const UserList = Type.Object({ users: Type.Array(User) }, { title: 'UserList', examples: [{ users: [exampleUser] }] })

/** Operations on users. */
export const userOperations = {
  listUsers: {
    method: 'GET',
    url: '/v1/users',
    schema: {
      operationId: 'listUsers',
      summary: 'List users',
      tags: ['Users'],
      response: { 200: UserList, ...refusals },
    },
  },
  inviteUser: {
    method: 'POST',
    url: '/v1/users',
    schema: {
      operationId: 'inviteUser',
      summary: 'Invite a user, who sets a password with the link',
      tags: ['Users'],
      body: Type.Object(
        { email: Email, role: Type.Enum([...userRoles]) },
        { ...closed, examples: [{ email: 'ann@example.org', role: 'auditor' }] },
      ),
      response: { 201: PasswordLink, ...refusals, ...conflict },
    },
  },
  changeUser: {
    method: 'PATCH',
    url: '/v1/users/:id',
    schema: {
      operationId: 'changeUser',
      summary: 'Change the role of a user, disable or enable the user',
      description: 'Ends all sessions of the user.',
      tags: ['Users'],
      params: params({ id }),
      body: Type.Object(
        { role: Type.Optional(Type.Enum([...userRoles])), disabled: Type.Optional(Type.Boolean()) },
        { ...closed, examples: [{ role: 'owner' }] },
      ),
      response: { 200: User, ...refusals, ...missing, ...conflict },
    },
  },
  createPasswordLink: {
    method: 'POST',
    url: '/v1/users/:id/password-link',
    schema: {
      operationId: 'createPasswordLink',
      summary: 'Create a link with which a user sets a new password',
      tags: ['Users'],
      params: params({ id }),
      response: { 201: PasswordLink, ...refusals, ...missing },
    },
  },
  setPassword: {
    method: 'POST',
    url: '/v1/password',
    schema: {
      operationId: 'setPassword',
      summary: 'Set a password with the token of a link',
      description: 'Needs no key. Ends all sessions of the user.',
      tags: ['Sign in'],
      security: [],
      body: Type.Object(
        { token: Type.String({ maxLength: 64 }), password: Password },
        { ...closed, examples: [{ token: 'tq8X…', password: 'correct horse battery staple' }] },
      ),
      response: { ...noContent, 422: refusals[422], 503: refusals[503] },
    },
  },
} as const
