import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { packageRoot, signCapsule } from '#capsule-host'
import { systemRandom } from '#contracts'
import { createKeyPair, type KeyPair } from '#did'
import { guestVersion, openGuest } from '#vmm'
import { createGuests, type Guests, type GuestsComponents } from '../../../node/guests.ts'

const { signal } = new AbortController()
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
  let fetched = 0
  let mended = 0
  const components = {
    index: { lookup: async () => await Promise.resolve({ head }) },
    content: {
      getBlock: async () => {
        fetched += 1
        return await Promise.resolve(block)
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
    ...{ head, root, written, remembered, mended: () => mended, fetched: () => fetched }
  }
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
      await lab.guests.provide(signal)
      const restarted = lab.restart()
      const before = lab.fetched()
      await lab.restart().provide(signal)
      lab.denied.add(lab.publisher.did)
      for (const guests of [lab.guests, restarted]) {
        await assert.rejects(guests.provide(signal), { code: 'ERR_PUBLISHER_DENIED' })
        await assert.rejects(guests.hold(signal), { code: 'ERR_PUBLISHER_DENIED' })
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
        await assert.rejects(one.provide(signal), { code: 'ERR_CONTENT_DENIED' })
      }
      lab.denied.clear()
      await guests.provide(signal)
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
