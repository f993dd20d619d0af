import { CodedError } from '#contracts'

/** What can go wrong with a simulation, beside the failures of the nodes in it. */
export type SimErrorCode =
  /** The process was not started with `--import ./sim/preload.ts`. */
  | 'ERR_SIM_NOT_PRELOADED'
  /** There was a simulation in this process before: its traces would depend on what that one left behind. */
  | 'ERR_SIM_USED'
  /** There is no scenario of that name, nor a file of one. */
  | 'ERR_SIM_UNKNOWN'
  /** A file is no scenario. */
  | 'ERR_SIM_SCENARIO'
  /** A seed is no whole number below 2^32, or there are too many. */
  | 'ERR_SIM_SEED'
  /** More nodes than a simulation of that depth can have. */
  | 'ERR_SIM_NODES'
  /** An option is outside its bounds. */
  | 'ERR_SIM_OPTION'
  /** Something is at the path of an output already, and `--force` was not given. */
  | 'ERR_SIM_OUTPUT_EXISTS'
  /** Two operations drive time at once; join them and drive once. */
  | 'ERR_SIM_BUSY'
  /** What was waited for did not happen within its virtual deadline. */
  | 'ERR_SIM_STUCK'
  /** Something went to the operating system's thread pool, whose order no seed decides. */
  | 'ERR_SIM_NATIVE'
  /** Nobody is reachable at that address, or the link is dead. */
  | 'ERR_SIM_UNREACHABLE'
  /** A checker found something that must never be. */
  | 'ERR_SIM_INVARIANT'

/** A simulation that cannot run, or that found a failure. */
export class SimError extends CodedError<SimErrorCode> {}
