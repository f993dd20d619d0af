import { spreadOf, type Spread } from '../series.ts'
import { ReplicaModel, type ReplicaModelInit } from './replica-model.ts'

/** How replicas are measured. */
export interface ReplicaMeasureInit extends ReplicaModelInit {
  readonly durationMs: number
  /** When a third is cut off for an hour; never when absent. */
  readonly cutOffAtMs?: number
}

/** What came. */
export interface ReplicaMeasure {
  readonly lost: number
  /** Mean and largest bytes on disks, of what the goals ask for. */
  readonly storageMean: number
  readonly storageMax: number
  readonly copiesMin: number
  /** From the death of a holder to the new copy; without a cut-off. */
  readonly repairMs: Spread
  /** Copies made anew later than five minutes after the death. */
  readonly lateRepairs: number
  readonly repairs: number
  /** Copies made from the cut-off until all was trimmed again, and those whose holders died in that time. */
  readonly cutOff: { readonly repairs: number; readonly died: number } | undefined
  readonly events: number
}

const SAMPLE_MS = 600_000
const CUT_OFF_MS = 3_600_000
/** Until leases are back and what is too many is let go. */
const AFTERWARDS_MS = 1_200_000
/** Repair within this, detection included. */
export const REPAIR_MS_MAX = 300_000

/** Lets objects be kept through a time in which nodes come and go. */
export function measureReplicas(init: ReplicaMeasureInit): ReplicaMeasure {
  const model = new ReplicaModel(init)
  const wanted = init.goal * init.objectCount
  const storage: number[] = []
  let copiesMin = init.goal
  const run = (durationMs: number): void => {
    for (let passedMs = 0; passedMs < durationMs; passedMs += SAMPLE_MS) {
      model.run(Math.min(SAMPLE_MS, durationMs - passedMs))
      const counts = model.counts()
      storage.push(counts.copies / wanted)
      copiesMin = Math.min(copiesMin, counts.copiesMin)
    }
  }
  let cutOff: ReplicaMeasure['cutOff']
  if (init.cutOffAtMs !== undefined) {
    run(init.cutOffAtMs)
    const before = model.counts()
    model.cutOff(CUT_OFF_MS)
    run(CUT_OFF_MS + AFTERWARDS_MS)
    const after = model.counts()
    cutOff = { repairs: after.repairs - before.repairs, died: after.died - before.died }
  }
  run(init.durationMs - model.nowMs)
  const { lost, repairs } = model.counts()
  return {
    ...{ lost, repairs, cutOff, copiesMin, events: model.events },
    storageMean: storage.reduce((sum, share) => sum + share, 0) / Math.max(storage.length, 1),
    storageMax: spreadOf(storage).max,
    repairMs: spreadOf(model.repairMs),
    lateRepairs: model.repairMs.filter((tookMs) => tookMs > REPAIR_MS_MAX).length
  }
}
