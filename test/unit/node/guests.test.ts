import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { packageRoot, signCapsule } from '#capsule-host'
import { systemRandom } from '#contracts'
import { createKeyPair, type KeyPair } from '#did'
import { guestVersion, openGuest } from '#vmm'
import { createGuests, type Guests, type GuestsComponents } from '../../../node/guests.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const { signal } = new AbortController()
const LONG_MS = 3_600_000
const hex = (text: string): string => createHash('sha256').update(text).digest('hex')

function guestFiles(): Map<string, Uint8Array> {
  const description = {
    ...{ version: 1, arch: 'x86_64', kernelSha256: hex('kernel'), initrdSha256: hex('initrd') },
    package: { name: 'linux-image', version: '6.1.190-1', sha256: hex('package') },
    init: { sourcesSha256: hex('sources'), compiler: 'a compiler' }
  }
  return new Map([
    ['kernel', Buffer.from('kernel')],
    ['initrd', Buffer.from('initrd')],
    ['guest.json', Buffer.from(JSON.stringify(description))]
  ])
}

interface Lab {
  readonly guests: Guests
  /** Who is denied by now, by did or CID. */
  readonly denied: Set<string>
  /** The node after its next start. */
  readonly restart: () => Guests
  readonly head: CID
  readonly root: CID
  /** How often the folder was mended. */
  readonly mended: () => number
  readonly fetched: () => number
  /** Has fetching wait, or fail, from now on. */
  readonly fetchBy: (wait: (signal: AbortSignal) => Promise<void>) => void
  /** Has the folder of the guest be empty. */
  readonly loseFolder: () => void
  readonly clock: VirtualClock
  readonly publisher: KeyPair
  readonly written: readonly string[][]
  readonly remembered: readonly (string | undefined)[]
}

/** A publisher's guest as the network has it, changed by `change`. */
async function openLab(
  change: {
    files?: (files: Map<string, Uint8Array>) => void
    signer?: KeyPair
    version?: string
    name?: string
    isDenied?: boolean
    platform?: GuestsComponents['platform']
  } = {}
): Promise<Lab> {
  const publisher = createKeyPair(systemRandom)
  const files = guestFiles()
  const version = change.version ?? guestVersion(openGuest(files).description)
  const root = await packageRoot(files)
  const release = { root, name: change.name ?? 'guest-x86-64', version }
  const block = signCapsule(change.signer ?? publisher, release)
  const head = CID.createV1(0x71, await sha256.digest(block))
  change.files?.(files)
  const written: string[][] = []
  const remembered: (string | undefined)[] = []
  const denied = new Set<string>(change.isDenied === true ? [publisher.did] : [])
  let folder: ReadonlyMap<string, Uint8Array> = new Map()
  const clock = createVirtualClock()
  let fetchBy = async (_: AbortSignal): Promise<void> => await Promise.resolve()
  let fetched = 0
  let mended = 0
  const components = {
    index: { lookup: async () => await Promise.resolve({ head }) },
    content: {
      getBlock: async (_: CID, options: { signal: AbortSignal }) => {
        fetched += 1
        await fetchBy(options.signal)
        return block
      },
      readFiles: async function* () {
        for (const [path, content] of files) yield await Promise.resolve({ path, content })
      }
    },
    denyList: {
      isDeniedDid: (did: string) => denied.has(did),
      isDeniedCid: (cid: CID) => denied.has(cid.toString())
    },
    powers: {
      readFile: async (path: string) => await Promise.resolve(folder.get(path.slice('/data/guest/'.length))),
      writeFolder: async (_: string, made: ReadonlyMap<string, Uint8Array>) => {
        written.push([...made.keys()].toSorted())
        folder = made
        await Promise.resolve()
      },
      mendFolder: async () => {
        mended += 1
        await Promise.resolve()
      }
    },
    clock,
    folder: '/data/guest',
    platform: change.platform ?? { platform: 'linux', arch: 'x64' },
    choice: () => remembered.at(-1),
    remember: async (choice: string | undefined) => {
      remembered.push(choice)
      await Promise.resolve()
    }
  } as unknown as GuestsComponents
  return {
    ...{ guests: createGuests(components), restart: () => createGuests(components), publisher, denied },
    ...{ head, root, written, remembered, clock, mended: () => mended, fetched: () => fetched },
    fetchBy: (wait) => void (fetchBy = wait),
    loseFolder: () => void (folder = new Map())
  }
}

/** As a machine does that starts from it. */
async function provide(guests: Guests): Promise<void> {
  using _held = await guests.hold(signal)
}

describe('a fetched guest', () => {
  it('is kept with its signature, and its publisher is remembered', async () => {
    const lab = await openLab()
    const seen: number[] = []
    await lab.guests.use(lab.publisher.did, { signal, onProgress: (bytes) => seen.push(bytes) })
    assert.deepEqual(lab.written, [['guest.json', 'initrd', 'kernel', 'signed.cbor']])
    assert.deepEqual(lab.remembered, [lab.publisher.did])
    assert.equal(seen[0], 0)
  })

  for (const [name, change, code] of [
    ['its publisher is denied', { isDenied: true }, 'ERR_PUBLISHER_DENIED'],
    ['somebody else signed it', { signer: createKeyPair(systemRandom) }, 'ERR_CAPSULE_SIGNER'],
    ['it is signed as something else', { name: 'notes' }, 'ERR_CAPSULE_NAME_MISMATCH'],
    ['it is another version than was signed', { version: '9.0.0' }, 'ERR_CAPSULE_VERSION_MISMATCH'],
    ['a file is missing', { files: (files) => files.delete('initrd') }, 'ERR_VM_GUEST_INVALID'],
    ['there is one file more', { files: (files) => files.set('more', Buffer.of(0)) }, 'ERR_VM_GUEST_INVALID'],
    [
      'a byte is another',
      { files: (files) => files.set('kernel', Buffer.from('kernex')) },
      'ERR_VM_GUEST_INVALID'
    ],
    ['this is no Linux', { platform: { platform: 'darwin', arch: 'x64' } }, 'ERR_VM_UNAVAILABLE'],
    ['no guest is made for this', { platform: { platform: 'linux', arch: 'riscv64' } }, 'ERR_VM_UNAVAILABLE']
  ] as const satisfies readonly (readonly [string, Parameters<typeof openLab>[0], string])[]) {
    it(`is not kept when ${name}`, async () => {
      const lab = await openLab(change)
      await assert.rejects(lab.guests.use(lab.publisher.did, { signal }), { code })
      assert.deepEqual([lab.written, lab.remembered], [[], []])
    })
  }
})

describe('a kept guest', () => {
  it('starts nothing any more when its publisher is denied, however it was chosen, after a restart too', async () => {
    const lab = await openLab()
    for (const choice of [lab.publisher.did, lab.head.toString()]) {
      lab.denied.clear()
      await lab.guests.use(choice, { signal })
      await provide(lab.guests)
      const restarted = lab.restart()
      const before = lab.fetched()
      await provide(lab.restart())
      lab.denied.add(lab.publisher.did)
      for (const guests of [lab.guests, restarted]) {
        await assert.rejects(provide(guests), { code: 'ERR_PUBLISHER_DENIED' })
      }
      assert.equal(lab.fetched(), before, 'it is refused without the network')
    }
  })

  it('starts nothing any more when it is denied itself', async () => {
    const lab = await openLab()
    const guests = lab.guests
    await guests.use(lab.head.toString(), { signal })
    for (const cid of [lab.head, lab.root]) {
      lab.denied.add(cid.toString())
      for (const one of [guests, lab.restart()]) {
        await assert.rejects(provide(one), { code: 'ERR_CONTENT_DENIED' })
      }
      lab.denied.clear()
      await provide(guests)
    }
  })

  it('is not replaced while a machine starts from it', async () => {
    const lab = await openLab()
    await lab.guests.use(lab.publisher.did, { signal })
    const held = await lab.guests.hold(signal)
    const stop = new AbortController()
    const ended = lab.guests.use(lab.publisher.did, { signal: stop.signal })
    const using = lab.guests.use(lab.publisher.did, { signal })
    stop.abort(new Error('no more'))
    await assert.rejects(ended, /no more/)
    assert.equal(lab.written.length, 1)
    held[Symbol.dispose]()
    await using
    assert.equal(lab.written.length, 2)
    assert.equal(lab.mended(), 1, 'its folder is mended at the first use alone')
  })
})

describe('machines that wait for a guest that is fetched', () => {
  const openEmpty = async (): Promise<Lab & { readonly after: Guests }> => {
    const lab = await openLab()
    await lab.guests.use(lab.publisher.did, { signal })
    lab.loseFolder()
    return { ...lab, after: lab.restart() }
  }

  it('may leave before their turn comes, and hold up nobody', async () => {
    const lab = await openEmpty()
    const arrival = Promise.withResolvers<void>()
    lab.fetchBy(async () => await arrival.promise)
    const first = lab.after.hold(signal)
    const leaving = new AbortController()
    const second = lab.after.hold(leaving.signal)
    const third = lab.after.hold(signal)
    leaving.abort(new Error('no more'))
    await assert.rejects(second, /no more/)
    arrival.resolve()
    for (const one of [first, third]) (await one)[Symbol.dispose]()
  })

  it('fail with it, and not one after the other; a while later it is tried again', async () => {
    const lab = await openEmpty()
    lab.fetchBy(async () => await Promise.reject(new Error('nobody has it')))
    const before = lab.fetched()
    const all = [1, 2, 3].map(async () => await lab.after.hold(signal))
    for (const one of all) await assert.rejects(one, /nobody has it/)
    assert.equal(lab.fetched(), before + 1)
    lab.fetchBy(async () => await Promise.resolve())
    await assert.rejects(provide(lab.after), /nobody has it/)
    await lab.clock.advance(10_000)
    await provide(lab.after)
  })

  it('have it as soon as its publisher is denied no more', async () => {
    const lab = await openEmpty()
    lab.denied.add(lab.publisher.did)
    await assert.rejects(provide(lab.after), { code: 'ERR_PUBLISHER_DENIED' })
    lab.denied.clear()
    await provide(lab.after)
  })

  it('do not wait for ever, and whoever is next has all of his time', async () => {
    const lab = await openEmpty()
    lab.fetchBy(async (asked) => await new Promise((_, reject) => onAbort(asked, reject)))
    const first = lab.after.hold(signal)
    const choice = lab.after.use(lab.publisher.did, { signal, findMsMax: 1000 })
    const ended = Promise.all([
      assert.rejects(first, { code: 'ERR_DEADLINE' }),
      assert.rejects(choice, { code: 'ERR_DEADLINE' })
    ])
    await lab.clock.advance(2000)
    assert.equal(lab.fetched(), 2, 'the second has not begun, nor has its time')
    await lab.clock.advance(LONG_MS)
    await ended
    assert.equal(lab.fetched(), 3)
  })
})

function onAbort(asked: AbortSignal, reject: (reason: Error) => void): void {
  asked.addEventListener('abort', () => reject(asked.reason as Error), { once: true })
}
