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
  const components = {
    index: { lookup: async () => await Promise.resolve({ head }) },
    content: {
      getBlock: async () => await Promise.resolve(block),
      readFiles: async function* () {
        for (const [path, content] of files) yield await Promise.resolve({ path, content })
      }
    },
    isDenied: () => change.isDenied === true,
    powers: {
      readFile: async () => await Promise.resolve(undefined),
      writeFolder: async (_: string, made: ReadonlyMap<string, Uint8Array>) => {
        written.push([...made.keys()].toSorted())
        await Promise.resolve()
      }
    },
    folder: '/data/guest',
    platform: change.platform ?? { platform: 'linux', arch: 'x64' },
    choice: () => undefined,
    remember: async (choice: string | undefined) => {
      remembered.push(choice)
      await Promise.resolve()
    }
  } as unknown as GuestsComponents
  return { guests: createGuests(components), publisher, written, remembered }
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
