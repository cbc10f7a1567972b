import Type, { type Static } from 'typebox'

/** An error response in the format of RFC 9457. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'A URN that identifies the type of problem.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What is wrong, where, and what to do about it.' }),
    code: Type.String({ description: 'A stable error code. Base decisions on this field.' }),
    retryable: Type.Boolean({
      description: 'Whether the same request, with the same ids, can succeed when it is retried.',
    }),
    field: Type.Optional(Type.String({ description: 'The field that caused the problem.' })),
    serverTime: Type.Optional(
      Type.String({ description: "The server's time. Compare it with the client's clock to find the offset." }),
    ),
  },
  {
    title: 'Problem',
    examples: [
      {
        type: 'urn:clicktally:problem:parameter_unknown',
        title: 'Unknown parameter',
        status: 422,
        detail: 'There is no parameter "since" here. Known parameters: target, from, to.',
        code: 'parameter_unknown',
        retryable: false,
        field: 'since',
      },
    ],
  },
)

export type Problem = Static<typeof Problem>
