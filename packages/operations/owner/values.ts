import Type, { type TSchema } from 'typebox'

export const Time = Type.String({ description: 'RFC 3339', examples: ['2026-11-28T10:00:00.000Z'], maxLength: 40 })
export const OptionalTime = Type.Union([Time, Type.Null()])
export const ProjectName = Type.String({
  description: 'Lower-case letters, digits and hyphens; at most 63 characters.',
  pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
  examples: ['default'],
})

/** For objects without other properties than the named ones. */
export const closed = { additionalProperties: false } as const
export const params = <Params extends Record<string, TSchema>>(properties: Params) => Type.Object(properties, closed)
/** The id of a key or a user in a path. */
export const id = Type.String({ description: 'As in the list of keys or users.', maxLength: 64 })
