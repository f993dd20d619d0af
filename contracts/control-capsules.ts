/** The part of the control protocol about capsules. See docs/protocols/control.md. */

/** Lines of a capsule's log. */
export interface LogEvent {
  readonly kind: 'log'
  readonly lines: readonly CapsuleLogLine[]
}

/** A capsule was started, or somebody came to its terminal; both numbers name that to `capsule.resize` and `capsule.detach`. */
export interface RunEvent {
  readonly kind: 'run'
  readonly run: number
  /** Absent where the capsule has no terminal. */
  readonly viewer?: number
}

/** Who types at the terminal of a run: the one who is told, or somebody else. */
export interface TypingEvent {
  readonly kind: 'typing'
  readonly isTyping: boolean
}

/** A capsule wants its user's keys one by one and not shown, or lines again. */
export interface TerminalEvent {
  readonly kind: 'terminal'
  readonly isRaw: boolean
}

/** A capsule asks for something, and somebody is asked about it. */
export interface QuestionEvent {
  readonly kind: 'question'
  readonly question: QuestionStatus
}

/** A question that was shown is no longer open. */
export interface QuestionEndEvent {
  readonly kind: 'question-end'
  readonly id: string
}

/** A capsule asked and nobody could be asked about it. */
export interface QuestionMissedEvent {
  readonly kind: 'question-missed'
  readonly question: QuestionStatus
}

/** A capsule whose signature and bytes were verified. */
export interface CapsuleStatus {
  readonly cid: string
  readonly root: string
  readonly publisher?: string
  readonly name: string
  readonly version: string
  readonly bytes: number
  readonly files: number
  readonly isSigned: boolean
}

/** What a capsule may ever ask for. Reasons are their author's claims. */
export interface CeilingStatus {
  readonly capabilities: readonly {
    readonly command: string
    readonly resource: string
    readonly reason: string
  }[]
  readonly requires: readonly { readonly contract: string; readonly capsule?: string | undefined }[]
  readonly provides: readonly string[]
  readonly powers: readonly string[]
  /** Whether it wants the files of its lineage as a folder. */
  readonly files: boolean
}

/** What installing a capsule, or updating to it, would mean. */
export interface CapsulePlanStatus {
  /** `same`: this very version is installed. */
  readonly kind: 'install' | 'update' | 'same'
  readonly capsule: CapsuleStatus
  readonly lineage: string
  /** What it would be called here. */
  readonly alias: string
  /** The lineage that is called so already. */
  readonly aliasTakenBy?: string
  /** The version that runs now. */
  readonly from?: string
  readonly isOlder: boolean
  readonly description?: string
  /** All it may ever ask for. */
  readonly ceiling: CeilingStatus
  /** What of that is new; all of it for an install. */
  readonly added: CeilingStatus
  /** False when nothing is new, and nobody need be asked. */
  readonly needsConsent: boolean
}

/** One kept version of an installed capsule. */
export interface CapsuleVersionStatus {
  readonly cid: string
  readonly version: string
  readonly installedAtMs: number
  readonly isCurrent: boolean
  /** Whether its state can be brought back with it. */
  readonly hasState: boolean
}

/** An installed capsule. */
export interface InstalledStatus {
  readonly alias: string
  readonly lineage: string
  readonly publisher: string
  readonly name: string
  readonly version: string
  readonly cid: string
  readonly installedAtMs: number
  readonly running: number
  readonly versions: readonly CapsuleVersionStatus[]
}

/** What a change of the installed capsules did. */
export interface CapsuleChangeStatus {
  readonly capsule: InstalledStatus
  /** How many runs of it were ended for that. */
  readonly stopped: number
  readonly isStateRestored: boolean
}

/** A capsule that runs, and what it uses. */
export interface RunningStatus {
  readonly run: number
  readonly alias?: string
  readonly lineage: string
  readonly name: string
  readonly version: string
  readonly isDetached: boolean
  readonly upMs: number
  readonly pid?: number
  /** Absent where the system does not tell. */
  readonly cpuSeconds?: number
  readonly memoryBytes?: number
  readonly processes?: number
  readonly calls: number
  readonly bytesIn: number
  readonly bytesOut: number
}

/** One line of a capsule's log. */
export interface CapsuleLogLine {
  readonly timeMs: number
  readonly run: number
  readonly from: 'host' | 'log' | 'stdout' | 'stderr'
  readonly text: string
}

/** What a capsule asked for. Its reasons are claims. */
export interface QuestionStatus {
  readonly id: string
  readonly lineage: string
  readonly name: string
  readonly version: string
  /** Who signed it; absent for the owner's own from a folder. */
  readonly publisher?: string
  /** What the owner calls that publisher. */
  readonly petname?: string
  readonly command: string
  /** What the command does, in the words of its contract. */
  readonly summary?: string
  readonly resource: string
  readonly pick?: 'file' | 'folder' | 'person' | 'room'
  readonly choices: readonly { readonly label: string; readonly resource: string }[]
  readonly reason?: string
  readonly manifestReason?: string
  readonly askedAtMs: number
  readonly expiresAtMs: number
  /** Whether the capsule still waits; else an answer is for the next time it asks. */
  readonly isWaiting: boolean
}

/** What a person answers. */
export type QuestionAnswer =
  | {
      readonly isAllowed: true
      readonly scope: 'once' | 'session' | 'day' | 'always'
      /** Narrower than what was asked for. */
      readonly resource?: string | undefined
    }
  | {
      readonly isAllowed: false
      /** Never ask this again. */
      readonly isDurable: boolean
      /** Nor anything else in this run. */
      readonly isAll?: boolean | undefined
    }

/** Which tool server to start. */
export interface ToolServerParams {
  readonly target: string
  readonly dev?: boolean
  /** Whether there is a person at a terminal who can be asked what it may do. */
  readonly canAsk?: boolean
  readonly deadlineMs?: number
}

/** A tool, in its server's own words. */
export interface ToolStatus {
  readonly name: string
  readonly title?: string
  readonly description?: string
  /** JSON Schema of its arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>
}

/** What a tool answered. */
export interface ToolAnswer {
  /** Parts of the answer: text, or another kind with its own fields. */
  readonly content: readonly {
    readonly type: string
    readonly text?: string
    readonly [more: string]: unknown
  }[]
  readonly structuredContent?: Readonly<Record<string, unknown>>
  /** The tool itself says that it failed. */
  readonly isError: boolean
}

/** Who serves a contract to the capsules of this device. */
export interface ProviderStatus {
  readonly contract: string
  readonly lineage: string
  /** What of the host it is given for that. */
  readonly powers: readonly string[]
  /** Whether it came with the release. */
  readonly isShipped: boolean
}

/** Methods about capsules, and what they may do while they run. */
export interface CapsuleControlMethods {
  'capsule.publish': {
    params: { folder: string; first?: boolean }
    result: CapsuleStatus & { line: string; sequence: number; isAnnounced: boolean }
  }
  'capsule.verify': { params: { target: string }; result: CapsuleStatus }
  'capsule.run': {
    params: {
      target: string
      args: string[]
      dev?: boolean
      detach?: boolean
      /** Whether there is a person at a terminal who can be asked what it may do. */
      canAsk?: boolean
      /** The size of a terminal that it may draw on; left running it keeps one for whoever comes to it. */
      terminal?: { columns: number; rows: number }
      /** Where it runs; where it is made for when absent. A module also runs in a microVM. */
      substrate?: 'wasm' | 'microvm'
      /** Also a stranger's capsule in a microVM where a machine is only emulated, which is no wall. */
      allowEmulated?: boolean
      deadlineMs?: number
      /** Records the run into a new file; `input` says whether standard input is kept. */
      record?: { path: string; input: boolean }
    }
    /** `run` is set for one that is left running, `trace` for one that was recorded. */
    result: {
      exitCode: number
      capsule: CapsuleStatus
      run?: number
      trace?: { path: string; isCut: boolean }
    }
  }
  /** Runs a recorded run again from its trace. `code` is how it ended when it did not exit. */
  'capsule.replay': {
    params: { path: string }
    result: { name: string; version: string; exitCode: number; code?: string; isWhole: boolean }
  }
  /** What a tool server in a capsule can do. */
  'capsule.tools': { params: ToolServerParams; result: { capsule: CapsuleStatus; tools: ToolStatus[] } }
  /** Has a tool server in a capsule do something. */
  'capsule.call': {
    params: ToolServerParams & { tool: string; arguments: Readonly<Record<string, unknown>> }
    result: { capsule: CapsuleStatus } & ToolAnswer
  }
  /**
   * Comes to the terminal of a run, by its number or as the last one of a name, until the run ends or `capsule.detach`. The last who came
   * and does not only `watch` types.
   */
  'capsule.attach': {
    params: {
      target: string
      watch?: boolean
      terminal?: { columns: number; rows: number }
      canAsk?: boolean
    }
    /** `exitCode` is set when the run ended. */
    result: { run: number; capsule: CapsuleStatus; exitCode?: number }
  }
  'capsule.detach': { params: { run: number; viewer: number }; result: Record<string, never> }
  'capsule.resize': {
    params: { run: number; viewer: number; columns: number; rows: number }
    result: Record<string, never>
  }
  'capsule.plan': {
    params: { target: string; as?: string; installed?: boolean; deadlineMs?: number }
    result: CapsulePlanStatus
  }
  'capsule.install': { params: { cid: string; as?: string }; result: CapsuleChangeStatus }
  'capsule.providers': { params: Record<string, never>; result: { providers: ProviderStatus[] } }
  /** Without a name the capsule of the release serves it again. */
  'capsule.provide': {
    params: { contract: string; name?: string; powers?: string[] }
    result: ProviderStatus
  }
  'capsule.list': { params: Record<string, never>; result: { capsules: InstalledStatus[] } }
  'capsule.inspect': {
    params: { name: string }
    result: InstalledStatus & {
      description?: string
      ceiling: CeilingStatus
      limits: Readonly<Record<string, number>>
      stateBytes?: number
    }
  }
  'capsule.logs': {
    params: { name: string; lines: number; follow?: boolean }
    result: { lineage: string; lines: CapsuleLogLine[] }
  }
  'capsule.top': { params: Record<string, never>; result: { running: RunningStatus[] } }
  'capsule.stop': { params: { name?: string; run?: number }; result: { stopped: RunningStatus[] } }
  'capsule.rollback': { params: { name: string; version?: string }; result: CapsuleChangeStatus }
  'capsule.remove': { params: { name: string; data?: boolean }; result: CapsuleChangeStatus }
  'grant.pending': { params: Record<string, never>; result: { questions: QuestionStatus[] } }
  'grant.answer': { params: { id: string; answer: QuestionAnswer }; result: { isWaiting: boolean } }
}
