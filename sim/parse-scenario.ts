import * as z from 'zod'
import { millisecondsOf } from './duration.ts'
import { NODES_MAX, SCENARIO_CHARS_MAX, STEPS_MAX } from './constants.ts'
import { SimError } from './errors.ts'
import { CHECK_NAMES, type ModelScenario, type PartsScenario } from './scenario.ts'

const duration = z.string().superRefine((text, context) => {
  try {
    millisecondsOf(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'no duration' })
  }
})
const share = z.number().min(0).max(1)
const count = z.number().int().min(1).max(NODES_MAX.parts)
const latencyMs = z
  .strictObject({ min: z.number().min(0), max: z.number().max(60_000) })
  .refine(({ min, max }) => min <= max, 'expected a latency from a smaller to a larger number')
const keep = z.strictObject({
  ...{ at: duration, do: z.literal('keep'), objects: z.number().int().min(1).max(100_000) },
  ...{ bytes: z.number().int().min(1).max(1e12), goal: z.number().int().min(1).max(32) }
})
const search = z.strictObject({ at: duration, do: z.literal('search'), every: duration })
const step = z.discriminatedUnion('do', [
  z.strictObject({ at: duration, do: z.literal('join'), nodes: count.optional(), within: duration }),
  z.strictObject({ at: duration, do: z.literal('churn'), halfLife: duration, for: duration.optional() }),
  z.strictObject({ at: duration, do: z.literal('sleep'), share, every: duration, asleep: duration }),
  z.strictObject({
    ...{ at: duration, do: z.literal('crash'), for: duration },
    ...{ share: share.optional(), who: z.literal('seeds').optional() }
  }),
  z.strictObject({ at: duration, do: z.literal('cut'), share, for: duration }),
  z.strictObject({ at: duration, do: z.literal('slow'), share, latency: duration, for: duration }),
  z.strictObject({
    ...{ at: duration, do: z.literal('disk'), share, for: duration },
    fault: z.enum(['lost', 'torn', 'full', 'slow'])
  }),
  keep,
  z.strictObject({ at: duration, do: z.literal('fetch'), share, within: duration }),
  search,
  z.strictObject({ at: duration, do: z.literal('name'), names: count, every: duration }),
  z.strictObject({ at: duration, do: z.literal('write'), nodes: count, every: duration }),
  z.strictObject({ at: duration, do: z.literal('grant'), nodes: count, every: duration }),
  z.strictObject({ at: duration, do: z.literal('talk'), rooms: count, members: count, every: duration }),
  z.strictObject({ at: duration, do: z.literal('release'), every: duration, share }),
  z.strictObject({ at: duration, do: z.literal('sybils'), nodes: count })
])
/** The steps that the model knows. */
const modelStep = z.discriminatedUnion('do', [
  z.strictObject({ at: duration, do: z.literal('join'), within: duration }),
  z.strictObject({ at: duration, do: z.literal('churn'), halfLife: duration }),
  keep,
  search
])
const parts = z.strictObject({
  about: z.string().min(1).max(400),
  depth: z.literal('parts'),
  nodes: count,
  seeds: count.optional(),
  duration,
  network: z
    .strictObject({
      latencyMs: latencyMs.optional(),
      bytesPerMs: z.number().positive().optional(),
      lossRatio: z.number().min(0).max(0.9).optional(),
      jitterRatio: z.number().min(0).max(10).optional()
    })
    .optional(),
  happens: z.array(step).min(1).max(STEPS_MAX),
  holds: z.array(z.enum(CHECK_NAMES)).optional()
})
const model = z.strictObject({
  about: z.string().min(1).max(400),
  depth: z.literal('model'),
  nodes: z.number().int().min(1).max(NODES_MAX.model),
  duration,
  network: z.strictObject({ latencyMs: latencyMs.optional() }).optional(),
  happens: z.array(modelStep).min(1).max(STEPS_MAX)
})
const scenarioSchema = z.discriminatedUnion('depth', [parts, model])

/**
 * Reads a scenario from the text of a JSON file.
 *
 * @throws SimError `ERR_SIM_SCENARIO` that says what is wrong with it, and where
 */
export function parseScenario(text: string): PartsScenario | ModelScenario {
  if (text.length > SCENARIO_CHARS_MAX) {
    throw new SimError('ERR_SIM_SCENARIO', `expected a scenario of at most ${SCENARIO_CHARS_MAX} characters`)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new SimError('ERR_SIM_SCENARIO', 'expected a scenario as JSON', { cause })
  }
  const parsed = scenarioSchema.safeParse(json)
  if (parsed.success) return parsed.data as PartsScenario | ModelScenario
  const [issue] = parsed.error.issues
  const where = issue?.path.join('.') ?? ''
  throw new SimError(
    'ERR_SIM_SCENARIO',
    `expected another scenario: ${where === '' ? '' : `${where}: `}${issue?.message ?? ''}`
  )
}
