import Type, { type Static } from 'typebox'

const Time = Type.String({ description: 'RFC 3339' })

const exampleThreshold = {
  type: 'threshold.reached',
  timestamp: '2026-11-21T10:05:00.000Z',
  data: {
    threshold: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748',
    project: 'default',
    target: 'signup-button',
    ...{ atLeast: 100, clicks: 104 },
    ...{ from: '2026-11-21T09:05:00.000Z', to: '2026-11-21T10:05:00.000Z' },
  },
} as const

/** A target passed a number of clicks, or fell silent. */
export const ThresholdEvent = Type.Object(
  {
    type: Type.Enum(['threshold.reached', 'threshold.silent']),
    timestamp: Time,
    data: Type.Object({
      threshold: Type.String({ description: 'The id of the threshold.' }),
      project: Type.String({ description: 'The name of the project.' }),
      target: Type.Union([Type.String(), Type.Null()], { description: 'Null: all targets together.' }),
      atLeast: Type.Optional(Type.Integer({ description: 'The number of clicks that was reached.' })),
      clicks: Type.Integer({ description: 'Clicks by people in the window, when its last minute was judged.' }),
      from: Type.String({ description: 'Start of the window.' }),
      to: Type.String({ description: 'End of the window, exclusive.' }),
    }),
  },
  { title: 'ThresholdEvent', examples: [exampleThreshold] },
)
export type ThresholdEvent = Static<typeof ThresholdEvent>

/** What an owner sends to try a webhook. */
export const TestEvent = Type.Object(
  { type: Type.Enum(['test']), timestamp: Time, data: Type.Object({ project: Type.String() }) },
  {
    title: 'TestEvent',
    examples: [{ type: 'test', timestamp: '2026-11-21T10:05:00.000Z', data: { project: 'default' } }],
  },
)
export type TestEvent = Static<typeof TestEvent>
