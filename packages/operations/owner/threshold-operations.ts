import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import Type, { type Static } from 'typebox'
import { conflict, noContent, problem, refusals } from './responses.ts'
import { closed, ProjectName, params, Time } from './values.ts'

const example = {
  ...{ id: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748', project: 'default', target: 'signup-button' },
  ...{ type: 'reached', clicks: 100, windowMinutes: 60, isMet: false },
  ...{ judgedThrough: '2026-11-28T10:05:00.000Z', createdAt: '2026-11-28T10:00:00.000Z' },
} as const

const Target = Type.String({ minLength: 1, maxLength: maxCharsOf('target'), pattern: '^[^\\u0000]*$' })
const type = Type.Enum(['reached', 'silent'], {
  description: '`reached`: the window has `clicks` or more clicks by people. `silent`: it has none.',
})
const Clicks = Type.Integer({ minimum: 1, maximum: 2_147_483_647 })
const windowMinutes = Type.Integer({
  description: 'Length of the window in minutes, at most a day. There is a window for each minute, which ends with it.',
  minimum: 1,
  maximum: 1_440,
})

export const Threshold = Type.Object(
  {
    id: Type.String(),
    project: ProjectName,
    target: Type.Union([Target, Type.Null()], { description: 'Null: all targets together.' }),
    type,
    clicks: Type.Union([Clicks, Type.Null()], { description: 'Null for `silent`.' }),
    windowMinutes,
    isMet: Type.Boolean({ description: 'Whether it was told, and is not told again before the counts have changed.' }),
    judgedThrough: Type.String({
      description: 'Minutes that ended by this time have been judged. It advances while clicks are counted.',
    }),
    createdAt: Time,
  },
  { title: 'Threshold', examples: [example] },
)
export type Threshold = Static<typeof Threshold>

const ThresholdList = Type.Object(
  { thresholds: Type.Array(Threshold) },
  { title: 'ThresholdList', examples: [{ thresholds: [example] }] },
)
const tags = ['Webhooks']
const missing = { 404: problem('There is no such project or threshold.') }

/** Operations on thresholds. */
export const thresholdOperations = {
  listThresholds: {
    method: 'GET',
    url: '/v1/thresholds',
    schema: {
      operationId: 'listThresholds',
      summary: 'List thresholds',
      tags,
      querystring: Type.Object({ project: Type.Optional(ProjectName) }, closed),
      response: { 200: ThresholdList, ...refusals },
    },
  },
  createThreshold: {
    method: 'POST',
    url: '/v1/thresholds',
    schema: {
      operationId: 'createThreshold',
      summary: 'Be told when a target passes a number of clicks in a window, or falls silent',
      description:
        'Each crossing is an event for all webhooks of the project. The next one is told after a window that does not meet the condition; for `reached`, one that has no minute in common with the window that was told. A minute is judged once, when everything accepted in it is counted, usually 10 to 15 seconds after its end. Clicks that arrive later count in the windows of later minutes. Minutes before the creation do not count.',
      tags,
      body: Type.Object(
        {
          project: Type.Optional(ProjectName),
          target: Type.Optional(Target),
          type,
          clicks: Type.Optional(Clicks),
          windowMinutes,
        },
        { ...closed, examples: [{ target: 'signup-button', type: 'reached', clicks: 100, windowMinutes: 60 }] },
      ),
      response: { 201: Threshold, ...refusals, ...missing, ...conflict },
    },
  },
  deleteThreshold: {
    method: 'DELETE',
    url: '/v1/thresholds/:id',
    schema: {
      operationId: 'deleteThreshold',
      summary: 'Delete a threshold',
      tags,
      params: params({ id: Type.String({ description: 'As in the list of thresholds.', maxLength: 64 }) }),
      response: { ...noContent, ...refusals, ...missing },
    },
  },
} as const
