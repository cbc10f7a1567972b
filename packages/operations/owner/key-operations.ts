import { keyRoles } from '@clicktally/keys/roles.ts'
import Type, { type Static } from 'typebox'
import { conflict, missing, noContent, refusals } from './responses.ts'
import { closed, id, OptionalTime, ProjectName, params, Time } from './values.ts'

const Origins = Type.Array(Type.String({ maxLength: 256 }), {
  description:
    'Exact origins from which browsers may use the key, such as https://shop.example. `*` allows every origin. A `write` key needs at least one.',
  examples: [['https://shop.example']],
  maxItems: 100,
})
const Label = Type.String({ description: 'What the key is for.', maxLength: 128, examples: ['shop front end'] })
const ClicksPerSecond = Type.Integer({
  description: 'Limit of clicks per second on average, for each ingest; twice as many in a burst.',
  minimum: 1,
  maximum: 1_000_000,
})

const exampleKey = {
  ...{ id: '4f1Kq0C2w7H3', project: 'default', role: 'write', label: 'shop front end' },
  ...{ origins: ['https://shop.example'], clicksPerSecond: null, createdAt: '2026-11-28T10:00:00.000Z' },
  ...{ expiresAt: null, revokedAt: null, isOperator: false },
} as const

export const Key = Type.Object(
  {
    id: Type.String({ description: 'Part of the key’s text; names the key everywhere.' }),
    project: ProjectName,
    role: Type.Enum(keyRoles),
    label: Label,
    origins: Origins,
    clicksPerSecond: Type.Union([ClicksPerSecond, Type.Null()]),
    createdAt: Time,
    expiresAt: OptionalTime,
    revokedAt: OptionalTime,
    isOperator: Type.Boolean({
      description:
        'Whether this is the key of the installation’s operator, which is kept in a secret file and cannot be changed here.',
    }),
  },
  { title: 'Key', examples: [exampleKey] },
)
export type Key = Static<typeof Key>

export const NewKey = Type.Object(
  { key: Key, text: Type.String({ description: 'The key itself. It is shown only now.' }) },
  { title: 'NewKey', examples: [{ key: exampleKey, text: 'ct_w_4f1Kq0C2w7H3_…' }] },
)
export type NewKey = Static<typeof NewKey>

const KeyList = Type.Object({ keys: Type.Array(Key) }, { title: 'KeyList', examples: [{ keys: [exampleKey] }] })

/** Operations on keys. */
export const keyOperations = {
  listKeys: {
    method: 'GET',
    url: '/v1/keys',
    schema: {
      operationId: 'listKeys',
      summary: 'List keys, revoked and expired ones included',
      description:
        'Keys that were revoked or have expired are removed after 90 days. The audit log says who created and revoked them.',
      tags: ['Keys'],
      querystring: Type.Object({ project: Type.Optional(ProjectName) }, closed),
      response: { 200: KeyList, ...refusals },
    },
  },
  createKey: {
    method: 'POST',
    url: '/v1/keys',
    schema: {
      operationId: 'createKey',
      summary: 'Create a key; its text is shown once',
      tags: ['Keys'],
      body: Type.Object(
        {
          role: Type.Enum(keyRoles),
          project: Type.Optional(ProjectName),
          label: Type.Optional(Label),
          origins: Type.Optional(Origins),
          clicksPerSecond: Type.Optional(ClicksPerSecond),
          expiresAt: Type.Optional(Time),
        },
        { ...closed, examples: [{ role: 'write', label: 'shop front end', origins: ['https://shop.example'] }] },
      ),
      response: { 201: NewKey, ...refusals, ...missing },
    },
  },
  changeKey: {
    method: 'PATCH',
    url: '/v1/keys/:id',
    schema: {
      operationId: 'changeKey',
      summary: 'Change label, origins, limit or expiry of a key',
      tags: ['Keys'],
      params: params({ id }),
      body: Type.Object(
        {
          label: Type.Optional(Label),
          origins: Type.Optional(Origins),
          clicksPerSecond: Type.Optional(Type.Union([ClicksPerSecond, Type.Null()])),
          expiresAt: Type.Optional(OptionalTime),
        },
        { ...closed, examples: [{ label: 'shop front end', clicksPerSecond: 100 }] },
      ),
      response: { 200: Key, ...refusals, ...missing, ...conflict },
    },
  },
  rotateKey: {
    method: 'POST',
    url: '/v1/keys/:id/rotate',
    schema: {
      operationId: 'rotateKey',
      summary: 'Replace a key by a new one; both work until the old one expires',
      description:
        'The new key has the expiry that was chosen for the old one. If the answer was lost, rotate the key again: the overlap begins anew, unless the old key has expired, and the new key that nobody has can be revoked.',
      tags: ['Keys'],
      params: params({ id }),
      body: Type.Object(
        {
          overlapSeconds: Type.Optional(
            Type.Integer({
              description: 'How long the old key still works.',
              minimum: 0,
              maximum: 31_536_000,
              default: 86_400,
            }),
          ),
        },
        { ...closed, examples: [{ overlapSeconds: 3_600 }] },
      ),
      response: { 201: NewKey, ...refusals, ...missing, ...conflict },
    },
  },
  revokeKey: {
    method: 'DELETE',
    url: '/v1/keys/:id',
    schema: {
      operationId: 'revokeKey',
      summary: 'Revoke a key: every service refuses it within 60 seconds, mostly at once',
      tags: ['Keys'],
      params: params({ id }),
      response: { ...noContent, ...refusals, ...missing, ...conflict },
    },
  },
} as const
