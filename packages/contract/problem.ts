import Type, { type Static } from 'typebox'

/** An error answer, RFC 9457. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'A name of the kind of problem, as a URN.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What was wrong, where, and what to do.' }),
    code: Type.String({ description: 'Stable: decide by this.' }),
    retryable: Type.Boolean({ description: 'Whether the same request, with the same ids, can succeed later.' }),
    field: Type.Optional(Type.String({ description: 'The field at fault.' })),
    serverTime: Type.Optional(
      Type.String({ description: "The server's time, so that a client can learn its offset." }),
    ),
  },
  { title: 'Problem' },
)

export type Problem = Static<typeof Problem>
