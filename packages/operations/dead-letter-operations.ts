import { cellNamePattern, homeCell } from '@clicktally/system/cells.ts'
import Type, { type Static } from 'typebox'
import { refusals } from './owner/responses.ts'
import { closed, OptionalTime, Time } from './owner/values.ts'

/** Most ids that are listed of one letter. */
export const maxListedIds = 20

const exampleLetter = {
  id: 7,
  reason: 'refused_by_database',
  diedAt: '2026-11-21T10:00:00.123Z',
  clicks: 1,
  clickIds: ['01a1fbf9-47c2-790c-9f4f-1b848ca0e748'],
  resolution: null,
  resolvedAt: null,
}

export const DeadLetter = Type.Object(
  {
    id: Type.Integer({ description: 'For the commands `clicktally dead show`, `replay` and `discard`.' }),
    reason: Type.String({ description: 'A code, such as `undecodable`.' }),
    diedAt: Time,
    clicks: Type.Integer({ description: 'Number of clicks in it.' }),
    clickIds: Type.Array(Type.String(), { description: `The ids of its clicks, at most ${maxListedIds}.` }),
    resolution: Type.Union([Type.Enum(['replayed', 'discarded', 'counted']), Type.Null()], {
      description: 'What a person did with it. Null: it waits.',
    }),
    resolvedAt: OptionalTime,
  },
  {
    title: 'DeadLetter',
    examples: [exampleLetter],
  },
)
export type DeadLetter = Static<typeof DeadLetter>

const DeadLetterList = Type.Object(
  { letters: Type.Array(DeadLetter) },
  { title: 'DeadLetterList', examples: [{ letters: [exampleLetter] }] },
)

/** Reading dead letters, without their content. */
export const deadLetterOperations = {
  listDeadLetters: {
    method: 'GET',
    url: '/v1/dead-letters',
    schema: {
      operationId: 'listDeadLetters',
      summary: 'List messages whose clicks could not be counted, the newest first',
      description:
        'Of every project. The content is shown by the command line alone: it may be anything that was sent. There, letters are replayed or discarded, too.',
      tags: ['Dead letters'],
      querystring: Type.Object(
        {
          all: Type.Optional(
            Type.Boolean({ description: 'Whether to list those that a person has resolved, too.', default: false }),
          ),
          limit: Type.Optional(
            Type.Integer({ description: 'Maximum number of letters.', minimum: 1, maximum: 1000, default: 100 }),
          ),
          before: Type.Optional(
            Type.Integer({
              description: 'Only letters with a smaller id.',
              minimum: 1,
              maximum: Number.MAX_SAFE_INTEGER,
            }),
          ),
          cell: Type.Optional(
            Type.String({
              description: 'The cell whose letters are listed, in an installation with several.',
              pattern: cellNamePattern,
              default: homeCell,
            }),
          ),
        },
        closed,
      ),
      response: { 200: DeadLetterList, ...refusals },
    },
  },
} as const
