import Type, { type Static } from 'typebox'
import { refusals } from './responses.ts'
import { closed, Time } from './values.ts'

const exampleEntry = {
  ...{ id: 17, at: '2026-11-28T10:00:00.000Z', actor: 'user:3', actorName: 'ann@example.org', address: '192.0.2.7' },
  ...{ action: 'project.create', subject: 'shop', detail: { derivesVisitors: true } },
}

export const AuditEntry = Type.Object(
  {
    id: Type.Integer(),
    at: Time,
    actor: Type.String({ description: '`key:<id>`, `user:<id>` or `system`.' }),
    actorName: Type.String({ description: 'The key’s label or the user’s email address at that time.' }),
    address: Type.Union([Type.String(), Type.Null()]),
    action: Type.String({ examples: ['key.create'] }),
    subject: Type.String({ description: 'The project, key or user that was changed.' }),
    detail: Type.Object({}, { additionalProperties: true }),
  },
  { title: 'AuditEntry', examples: [exampleEntry] },
)
export type AuditEntry = Static<typeof AuditEntry>

const AuditPage = Type.Object(
  { entries: Type.Array(AuditEntry) },
  { title: 'AuditPage', examples: [{ entries: [exampleEntry] }] },
)

/** Reading the audit log. */
export const auditOperations = {
  listAudit: {
    method: 'GET',
    url: '/v1/audit',
    schema: {
      operationId: 'listAudit',
      summary: 'List changes, the newest first',
      tags: ['Audit log'],
      querystring: Type.Object(
        {
          limit: Type.Optional(
            Type.Integer({ description: 'Maximum number of entries.', minimum: 1, maximum: 1000, default: 100 }),
          ),
          before: Type.Optional(
            Type.Integer({
              description: 'Only entries with a smaller id.',
              minimum: 1,
              maximum: Number.MAX_SAFE_INTEGER,
            }),
          ),
        },
        closed,
      ),
      response: { 200: AuditPage, ...refusals },
    },
  },
} as const
