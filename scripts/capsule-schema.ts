import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { manifestSchema } from '#capsule-host'

/** `node scripts/capsule-schema.ts`: writes the JSON Schema of a capsule's manifest from the schema that checks it. */
const path = join(import.meta.dirname, '..', 'docs', 'protocols', 'capsule-manifest.schema.json')
writeFileSync(path, `${JSON.stringify(z.toJSONSchema(manifestSchema, { io: 'input' }), null, 2)}\n`)
